const got = [];
for await (const { data } of client.iterate({ query: '{ hello }' })) got.push(data);
for await (const { data } of client.iterate({ query: 'subscription { tick }' })) if (got.push(data) === 3) break;
await client.dispose();
return got;
