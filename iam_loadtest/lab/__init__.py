"""The lab: HAProxy, frontends, MariaDB and the network between sites, on one machine, in namespaces of their own."""
