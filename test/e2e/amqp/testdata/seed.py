import requests
import json
import sys

url, port, queue_prefix, virtual_host = sys.argv[1:]

resp = requests.post(
    url + "/amqp",
    headers={"X-API-Key": "test-key-0123456789abcdef"},
    json={
        "host": "127.0.0.1",
        "port": int(port),
        "ssl": True,
        "username": "admin",
        "password": "admin-secret-9f2c",
        "exchange": "amq.topic",
        "routing_key": "#",
        "queue_prefix": queue_prefix,
        "virtual_host": virtual_host,
    },
    stream=True,
)

for line in resp.iter_lines():
    if line.startswith(b"data: "):
        event = json.loads(line[6:])
        print(event, flush=True)
