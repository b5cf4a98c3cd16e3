// A graphql-ws client: one query and one subscription to its end.
const WebSocket = require('ws');
const { createClient } = require('graphql-ws');

const client = createClient({
  url: process.argv[2],
  webSocketImpl: WebSocket,
  retryAttempts: 0,
  lazy: false,
  connectionParams: { secret: 'sesame' },
  on: { closed: (event) => console.log('closed', event.code, event.reason) },
});

async function all(query) {
  for await (const result of client.iterate({ query })) console.log(JSON.stringify(result.data));
}

(async () => {
  await all('{ hello }');
  await all('subscription { count(to: 3) }');
  await client.dispose();
})().catch((err) => {
  console.log('error', err.message ?? err.code, err.reason ?? '');
  process.exit(1);
});
