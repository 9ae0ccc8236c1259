"""The driving room: turns a plan into trials on disk. Starts Locust and servers as processes, imports neither."""
