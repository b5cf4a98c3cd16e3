const got = await new Promise((resolve, reject) => {
  client.onStompError = client.onWebSocketError = reject;
  client.onConnect = () => client.subscribe('/topic/ticks', ({ body }) => resolve(body));
  client.activate();
});
await client.deactivate();
return got;
