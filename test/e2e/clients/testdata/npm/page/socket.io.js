const names = [];
await new Promise((resolve, reject) => {
  socket.on('connect_error', reject);
  const { engine } = socket.io; // which may be by WebSocket before the namespace is connected
  names.push(engine.transport.name);
  engine.once('upgrade', (transport) => resolve(names.push(transport.name)));
});
const sum = await socket.emitWithAck('add', 19, 23);
const reversed = Buffer.from(await socket.emitWithAck('reverse', Buffer.from('farwire'))).toString();
const again = new Promise((resolve) => socket.once('connect', resolve));
socket.emit('lose');
await again;
const after = await socket.emitWithAck('add', 1, 2);
socket.disconnect();
return [names, sum, reversed, after];
