// A TLS client on Node: asks for / as often as `times` says, each time on a connection of its own that
// shows the session of the one before, and prints the bodies. Arguments are NAME=VALUE: port, ca, name,
// times, and what tls.connect() calls them: minVersion, maxVersion, ciphers, sigalgs, ecdhCurve.
// No newer JavaScript than Node 0.10 knows.
var fs = require('fs');
var tls = require('tls');

var given = {};
process.argv.slice(2).forEach(function (argument) {
  var at = argument.indexOf('=');
  given[argument.slice(0, at)] = argument.slice(at + 1);
});

var session = null;

function ask(left) {
  if (left === 0) process.exit(0);
  var authorities = String(fs.readFileSync(given.ca)).match(/-----BEGIN[^]*?-----END[^\n]*\n/g);
  var options = { host: '127.0.0.1', port: Number(given.port), ca: authorities,
                  servername: given.name, session: session };
  ['minVersion', 'maxVersion', 'ciphers', 'sigalgs', 'ecdhCurve'].forEach(function (name) {
    if (given[name]) options[name] = given[name];
  });
  var answer = '';
  var socket = tls.connect(options, function () {
    socket.write('GET / HTTP/1.1\r\nHost: ' + given.name + '\r\nConnection: close\r\n\r\n');
  });
  socket.on('session', function (got) { session = got; });  // TLS 1.3: after the handshake
  socket.on('data', function (piece) {
    answer += piece;
    if (socket.getSession && !/^TLSv1\.3/.test(answer.split('\r\n\r\n')[1])) session = socket.getSession();
  });
  socket.on('error', function (problem) {
    console.error(String(problem));
    process.exit(1);
  });
  socket.on('end', function () {
    process.stdout.write(answer.split('\r\n\r\n')[1] || '');
    setTimeout(function () { ask(left - 1); }, 0);
  });
}

ask(Number(given.times || 1));
