// gRPC on Node, by @grpc/grpc-js, with messages that are bytes.
//
//   node grpc_peer.js client PORT    makes calls of every kind; prints what came of them as JSON
//   node grpc_peer.js server         prints its port; serves until its input ends
//
// Methods are those of test_grpc.py's Service.
const grpc = require(process.env.GRPC_JS || '@grpc/grpc-js');

const same = (bytes) => bytes;
const method = (name, requestStream, responseStream) => ({
  path: '/test.Echo/' + name, requestStream, responseStream, requestSerialize: same,
  requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
});
const service = {
  Unary: method('Unary', false, false),
  Fail: method('Fail', false, false),
  Wait: method('Wait', false, false),
  Download: method('Download', false, true),
  Upload: method('Upload', true, false),
  Chat: method('Chat', true, true),
};

function serve() {
  const server = new grpc.Server();
  server.addService(service, {
    Unary: (call, done) => done(null, Buffer.from(String(call.request).toUpperCase())),
    Fail: (call, done) => done({ code: grpc.status.FAILED_PRECONDITION, details: 'not now' }),
    Wait: (call) => call.on('cancelled', () => console.log('cancelled')),
    Download: (call) => {
      for (let number = 0; number < Number(call.request); ++number) call.write(Buffer.from(String(number)));
      call.end();
    },
    Upload: (call, done) => {
      let size = 0;
      call.on('data', (message) => { size += message.length; });
      call.on('end', () => done(null, Buffer.from(String(size))));
    },
    Chat: (call) => {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
    },
  });
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    if (server.start.length === 0) { try { server.start(); } catch (_) { /* newer ones begin at once */ } }
    console.log(port);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

const answered = (resolve) => (error, answer) => resolve(error ? { code: error.code, details: error.details } : String(answer));

async function ask(port) {
  const Client = grpc.makeGenericClientConstructor(service, 'test.Echo');
  const client = new Client('127.0.0.1:' + port, grpc.credentials.createInsecure());
  const within = (seconds) => ({ deadline: Date.now() + 1000 * seconds });
  const said = {};
  said.unary = await new Promise((resolve) => client.Unary(Buffer.from('hello'), within(60), answered(resolve)));
  said.fail = await new Promise((resolve) => client.Fail(Buffer.from(''), within(60), answered(resolve)));
  said.deadline = await new Promise((resolve) => client.Wait(Buffer.from(''), within(0.3), answered(resolve)));
  said.cancelled = await new Promise((resolve) => {
    const call = client.Wait(Buffer.from(''), within(60), answered(resolve));
    setTimeout(() => call.cancel(), 300);
  });
  said.download = await new Promise((resolve) => {
    let count = 0;
    client.Download(Buffer.from('1000'), within(60)).on('data', () => { ++count; })
      .on('error', (error) => resolve(error.code)).on('end', () => resolve(count));
  });
  said.upload = await new Promise((resolve) => {
    const call = client.Upload(within(60), answered(resolve));
    for (let number = 0; number < 1000; ++number) call.write(Buffer.alloc(1000));
    call.end();
  });
  said.chat = await new Promise((resolve) => {
    const call = client.Chat(within(60));
    let count = 0;
    call.on('data', () => { if (++count < 100) call.write(Buffer.from('more')); else call.end(); });
    call.on('error', (error) => resolve(error.code)).on('end', () => resolve(count));
    call.write(Buffer.from('first'));
  });
  console.log(JSON.stringify(said));
  client.close();
}

if (process.argv[2] === 'server') serve();
else ask(process.argv[3]);
