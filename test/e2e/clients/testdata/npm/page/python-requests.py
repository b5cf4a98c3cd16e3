import json
print(json.dumps([answer.json()["url"], answer.headers["X-Farwire-From"]]))
session.post(api + "/login")
print(json.dumps([session.get(api + "/x").json()["cookie"], requests.get(api + "/x", headers=session.headers).json()["cookie"]]))
moved = session.get(api + "/redirect")
print(json.dumps([moved.json()["url"], moved.url == api + "/moved?here=1"]))
