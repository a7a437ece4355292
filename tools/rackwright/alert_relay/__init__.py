"""What Alertmanager does not speak itself: the robots of DingTalk, Feishu and WeCom.

Runs on a host that watches, of the standard library alone (Python 3.10).
"""
