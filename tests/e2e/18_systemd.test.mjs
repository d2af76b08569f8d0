import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';

import { portero, temporaryFolder, waitFor } from './harness.mjs';

const receiver = `
import socket, sys
inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
inbox.bind(sys.argv[1])
print("bound", flush=True)
while True:
    print(inbox.recv(4096).decode(), flush=True)
`;

test('systemd: hears READY, RELOADING and STOPPING', async (t) => {
  const socket = path.join(temporaryFolder(), 'notify');
  const inbox = spawn('python3', ['-c', receiver, socket]);
  t.after(() => inbox.kill());
  let heard = '';
  inbox.stdout.on('data', (data) => (heard += data));
  await waitFor('the receiver', () => heard.includes('bound'));

  const edge = await portero(t, 'sites:\n  http://localhost: {respond: x}\n',
                             { env: { NOTIFY_SOCKET: socket } });
  await waitFor('READY', () => /^READY=1$/m.test(heard));
  heard = '';
  assert.equal((await edge.command('reload')).code, 0);
  await waitFor('RELOADING', () => /^RELOADING=1$/m.test(heard));
  assert.match(heard, /^MONOTONIC_USEC=\d+$/m);
  await waitFor('READY again', () => /^READY=1$/m.test(heard));
  await edge.stop();
  await waitFor('STOPPING', () => /^STOPPING=1$/m.test(heard));
});
