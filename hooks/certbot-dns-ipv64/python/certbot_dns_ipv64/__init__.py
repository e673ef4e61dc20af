"""certbot's authenticator ``dns-ipv64``: a thin class around the program ``ipv64-acme``.

The program adds the records of the whole order, waits until every authoritative name server serves them, and removes
them. What can fail there is raised here before certbot asks the CA.
"""

from certbot_dns_ipv64.authenticator import Authenticator

__all__ = ["Authenticator"]
