# The shop's store: a folder in a volume, handed out over HTTP inside the stack only (it publishes no port).
touch /data/ready
exec httpd -f -p 80 -h /data
