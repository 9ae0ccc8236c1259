"""Tokens of users, and their refresh: locust -f locustfiles/refresh_token.py --headless -u 20 -r 10 -t 20s"""

from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import RefreshTokenUser

install()

__all__ = ["RefreshTokenUser"]
