const got = await new Promise((resolve, reject) => {
  pusher.connection.bind('error', (event) => reject(new Error(JSON.stringify(event))));
  pusher.subscribe('news').bind('tick', resolve);
});
pusher.disconnect();
return got;
