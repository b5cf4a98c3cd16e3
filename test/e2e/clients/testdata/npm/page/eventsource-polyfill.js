const got = [];
await new Promise((resolve, reject) => {
  source.onerror = (event) => event.status && reject(new Error(`status ${event.status}`));
  source.onmessage = (event) => got.push(event.data) === 3 && resolve();
});
source.close();
return got;
