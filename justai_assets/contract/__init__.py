"""What every part agrees on: tables, event names, reasons, days and errors. Nothing here imports another part.

Everything else imports it.
"""
