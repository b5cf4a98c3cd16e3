const use = async (connection) => {
  await connection.start();
  const tick = new Promise((resolve) => connection.on('tick', () => resolve('tick')));
  const doubled = await connection.invoke('double', 21);
  const items = [];
  await new Promise((complete, error) => connection.stream('count', 3).subscribe({ next: (item) => items.push(item), complete, error }));
  const got = [doubled, ...items, await tick];
  await connection.stop();
  return got;
};
const fallback = (hub) =>
  new signalR.HubConnectionBuilder().withUrl(connection.baseUrl + hub).configureLogging(signalR.LogLevel.Error).build();
return [await use(connection), await use(fallback('-sse')), await use(fallback('-polling'))];
