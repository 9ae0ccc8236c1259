"""Access tokens: locust -f locustfiles/access_token.py --headless -u 20 -r 10 -t 20s --issuer http://127.0.0.1:8490/"""

from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import AccessTokenUser

install()

__all__ = ["AccessTokenUser"]
