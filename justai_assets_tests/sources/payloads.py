"""Iterable's system webhooks, one of each kind and shape, with values of our own."""

from __future__ import annotations

from typing import Any

EMAIL = "ada@example.com"
AT = "2026-01-05 10:00:00 +00:00"
_NAMES = {"campaignName": "Spring", "workflowId": None, "workflowName": None, "templateName": "Spring, short"}
_TYPED = {"channelId": 41, "messageTypeId": 42, "experimentId": None}
_IDS = {"campaignId": 47001, "templateId": 64001, "messageId": "0123456789abcdef0123456789abcdef"}
_EMAIL_ID = {"emailId": f"c47001:t64001:{EMAIL}"}
_DEVICE = {"userAgent": "Mozilla/5.0", "userAgentDevice": "Mac", "ip": "192.0.2.7", "city": "Turin", "region": "TO"}
_SKIP = {"createdAt": AT, "reason": "DuplicateMarketingMessage", "campaignId": 47001, "email": EMAIL,
         "messageId": _IDS["messageId"]}  # fmt: skip
_IN_APP = {"messageContext": {"saveToInbox": False, "trigger": "immediate"}, "campaignId": 47001, "contentId": 9,
           "messageId": "uyDf828u4mbbbbGgrbDNEPeLHXpDGAnKkGZqBE8Pq", "templateId": 64001, "inAppBody": "Hello",
           "expiresAt": "2026-02-05 20:16:22 +00:00", "labels": [], "locale": None, "createdAt": AT, "email": EMAIL,
           **_EMAIL_ID, **_NAMES, **_TYPED}  # fmt: skip
_PUSH = {"campaignId": 47001, "templateId": 64001, "pushMessage": "Hi", "payload": {"path": "/p"}, "sound": "",
         "badge": None, "contentAvailable": False, "deeplink": None, "locale": None, "platformEndpoint": "arn:x",
         "email": EMAIL, "createdAt": AT, **_NAMES, **_TYPED}  # fmt: skip
_SMS = {**_IDS, "smsMessage": "Hi", "fromPhoneNumberId": 867, "imageUrl": None, "locale": None, "email": EMAIL,
        "createdAt": AT, **_EMAIL_ID, **_NAMES, **_TYPED}  # fmt: skip
_EMAIL = {**_IDS, "email": EMAIL, "createdAt": AT, "emailSubject": "Spring", **_EMAIL_ID, **_NAMES, **_TYPED}
_SUBSCRIPTION = {"profileUpdatedAt": "2026-01-05 09:59:00 +00:00", "signupSource": "WebForm", "email": EMAIL,
                 "publicIdString": "1818e811-892f-902b-d23f-0824128b2f33", "createdAt": AT, "messageTypeIds": [],
                 "emailListIds": [4602037], "channelIds": []}  # fmt: skip
_NEWER = {"createdAt": AT, "email": EMAIL, **_IDS, "labels": []}


def _body(name: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"email": EMAIL, "eventName": name, "dataFields": fields, **more}
    return {key: value for key, value in body.items() if value is not ...}


BODIES: dict[str, dict[str, Any]] = {
    "subscribe": _body("emailSubscribe", _SUBSCRIPTION),
    "subscribe, no email at the top": _body("emailSubscribe", _SUBSCRIPTION, email=...),
    "send, blast": _body("emailSend", {"contentId": 151998, **_EMAIL}),
    "send, triggered": _body("emailSend", {"transactionalData": {"__comment": "x", "email": EMAIL}, **_EMAIL}),
    "send, data as text": _body("emailSend", {"transactionalData": '{"order": 17}', **_EMAIL}),
    "bounce": _body("emailBounce", {"recipientState": "HardBounce", **_EMAIL}),
    "click": _body("emailClick", {"url": "https://example.com/p/8", "linkUrl": "https://example.com/p/8",
                                  "linkId": "2475216845", "canonicalUrlId": "3514969041", **_DEVICE, **_EMAIL}),
    "complaint": _body("emailComplaint", {"recipientState": "Complaint", **_EMAIL}),
    "open by a person": _body("emailOpen", {"device": "Gmail", **_DEVICE, **_EMAIL}),
    "open by a proxy": _body("emailOpen", {"proxySource": "Gmail", **_DEVICE, **_EMAIL}),
    "open by Apple": _body("emailOpen", {"proxySource": "Apple", **_DEVICE, **_EMAIL}),
    "open by a bot": _body("emailOpen", {"isBot": True, **_DEVICE, **_EMAIL}),
    "open by no bot": _body("emailOpen", {"isBot": False, "proxySource": "", **_DEVICE, **_EMAIL}),
    "click by a bot": _body("emailClick", {"isBot": True, "url": "https://example.com", **_DEVICE, **_EMAIL}),
    "send skip": _body("emailSendSkip", _SKIP),
    "unsubscribe": _body("emailUnSubscribe", {"unsubSource": "EmailLink", "channelIds": [62644], **_EMAIL}),
    "hosted unsubscribe": _body("hostedUnsubscribeClick", {"url": "https://example.com/p/4", "country": "IT", **_DEVICE,
                                                           **_EMAIL}, userId="ada-9"),
    "in-app click, old": _body("inAppClick", {"email": EMAIL, "createdAt": AT, "campaignId": 47001}),
    "in-app open, old": _body("inAppOpen", {"email": EMAIL, "createdAt": AT, "campaignId": 47001}),
    "in-app send": _body("inAppSend", _IN_APP),
    "in-app skip": _body("inAppSendSkip", _IN_APP),
    "in-app close": _body("inAppClose", {"closeAction": "x", **_NEWER}),
    "in-app delivery": _body("inAppDelivery", _NEWER),
    "in-app delete": _body("inAppDelete", {"deleteAction": "inbox-swipe", **_NEWER}),
    "in-app recall": _body("inAppRecall", {"total": 3, **_NEWER}),
    "push bounce, old": _body("pushBounce", _PUSH),
    "push open, old": _body("pushOpen", {"appAlreadyRunning": False, **_PUSH}),
    "push send": _body("pushSend", {"contentId": 4222, "messageId": _IDS["messageId"], **_PUSH, "badge": ""}),
    "push skip": _body("pushSendSkip", _SKIP),
    "push uninstall": _body("pushUninstall", {"isGhostPush": False, "messageId": _IDS["messageId"], **_PUSH}),
    "sms bounce": _body("smsBounce", {"smsProviderResponse": {"status": 773, "code": 5, "message": "m"}, **_SMS}),
    "sms click": _body("smsClick", {"clickedUrl": "https://example.com/p/5", "labels": [], **_SMS}),
    "sms received": _body("smsReceived", {"fromPhoneNumber": "+12025550107", "toPhoneNumber": "+12025550194",
                                          "smsMessage": "STOP", "email": EMAIL, "createdAt": AT}),
    "sms send": _body("smsSend", {"toPhoneNumber": "+12025550153", "fromSMSSenderId": 946, "contentId": 9, **_SMS}),
    "sms skip": _body("smsSendSkip", _SKIP),
    "web push send": _body("webPushSend", {"browserToken": "tok", "webPushMessage": "", "webPushIcon": None, **_NEWER}),
    "web push skip": _body("webPushSendSkip", _SKIP),
    "web push skip, user id only": _body("webPushSendSkip", _SKIP, email=..., userId="ada-9"),
    "web push click": _body("webPushClick", {"browserToken": "tok", **_NEWER}),
    "embedded click": _body("embeddedClick", {"embeddedButtonId": "btn", "embeddedTargetUrl": "https://example.com",
                                              **_NEWER}, userId="ada-9"),
    "embedded received": _body("embeddedReceived", _NEWER, userId="ada-9"),
    "embedded impression": _body("embeddedImpression", {"embeddedImpressionDisplayDuration": 3.5,
                                                        "embeddedImpressionPlacementId": 77, **_NEWER}),
    "embedded session": _body("embeddedSession", {"embeddedSessionId": "s1", **_NEWER}),
    "journey exit": _body("journeyExit", {"entranceTime": AT, "exitTime": AT, "exitNodeId": 55, "nodeCount": 4,
                                          "nodePath": "1,2,3,55", **_NEWER}),
    "WhatsApp send": _body("whatsAppSend", {"toWhatsAppPhoneNumber": "+12025550123", "senderId": 12, **_NEWER}),
    "WhatsApp received": _body("whatsAppReceived", _NEWER),
    "WhatsApp seen": _body("whatsAppSeen", _NEWER),
    "WhatsApp click": _body("whatsAppClick", {"clickedUrl": "https://example.com", **_NEWER}),
    "WhatsApp bounce": _body("whatsAppBounce", {"errorCode": "131000", **_NEWER}),
    "WhatsApp skip": _body("whatsAppSendSkip", {"reason": "DuplicateMarketingMessage", **_NEWER}),
}  # fmt: skip
