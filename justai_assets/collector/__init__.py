"""The HTTP doors: durable before 2xx, one fate for every request.

A request passes, in this order: `directory` (org and door), `credentials`, `rates`, `bodies` (limits and strict JSON),
`journal` (on disk before the answer), and, in a process of its own, `seal` (journal segment → landing objects).
"""
