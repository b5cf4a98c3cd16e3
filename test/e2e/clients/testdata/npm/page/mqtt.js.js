const got = await new Promise((resolve, reject) => {
  client.on('error', reject);
  client.on('message', (topic, payload) => resolve([topic, payload.toString()]));
  client.on('connect', () => client.subscribe('tick'));
});
await client.endAsync();
return got;
