centrifuge.connect();
await centrifuge.ready();
const { data } = await centrifuge.rpc('method', { asked: 1 });
const subscription = centrifuge.newSubscription('news');
const publication = await new Promise((resolve) => {
  subscription.on('publication', (event) => resolve(event.data));
  subscription.subscribe();
});
centrifuge.disconnect();
return [data, publication];
