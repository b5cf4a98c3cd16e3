const { LongPoll } = require('phoenix');
const use = async (socket) => {
  socket.connect();
  const channel = socket.channel('room:1');
  const joined = await new Promise((resolve, reject) => channel.join().receive('ok', resolve).receive('error', reject));
  const pushed = await new Promise((resolve) => channel.push('say', { hello: 1 }).receive('ok', resolve));
  socket.disconnect();
  return [joined, pushed];
};
const polling = new Socket(socket.endPoint.replace(/\/websocket$/, ''), { transport: LongPoll });
return [await use(socket), await use(polling)];
