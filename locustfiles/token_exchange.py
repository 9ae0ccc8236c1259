"""Issue, refresh, exchange: locust -f locustfiles/token_exchange.py --headless -u 20 -r 10 -t 20s --samples out"""

from iam_loadtest.load.plugin import install
from iam_loadtest.load.users import TokenExchangeUser

install()

__all__ = ["TokenExchangeUser"]
