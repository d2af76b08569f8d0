import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';

import { freePort, portero, run, temporaryFolder } from './harness.mjs';

const hello = 'sites:\n  http://localhost: {respond: hello}\n';

test('start: a four-line site file serves, and TERM ends with exit status 0', async (t) => {
  const edge = await portero(t, hello);
  assert.equal((await edge.get('/', { tls: false })).text, 'hello');
  assert.deepEqual(await edge.stop(), { code: 0, signal: null });
});

test('check: a valid file passes in silence of errors', async (t) => {
  const config = path.join(temporaryFolder(), 'portero.yaml');
  writeFileSync(config, hello);
  const { code, stderr } = await run(['check', '--config', config]);
  assert.equal(code, 0, stderr);
});

test('check: every error of a file is told with its place and the nearest key', async (t) => {
  const config = path.join(temporaryFolder(), 'portero.yaml');
  writeFileSync(config, 'sites:\n  a.test:\n    encod: true\n    proxy: nginx:80\n'
    + '  b.test: {respond: {status: many}}\nhttp_prt: 80\n');
  const { code, stdout, stderr } = await run(['check', '--config', config]);
  const text = stdout + stderr;
  assert.equal(code, 1);
  assert.match(text, /portero\.yaml:3:5: .*encod.*/);
  assert.match(text, /portero\.yaml:5:\d+: .*status/);
  assert.match(text, /portero\.yaml:6:1: .*http_prt.*/);
  assert.match(text, /did you mean .?http_port/);
});

test('run: an invalid file starts nothing', async (t) => {
  const config = path.join(temporaryFolder(), 'portero.yaml');
  writeFileSync(config, 'sites:\n  a.test: {prox: x}\n');
  const { code, stderr } = await run(['run', '--config', config]);
  assert.equal(code, 1);
  assert.match(stderr, /portero\.yaml:2:\d+/);
});

test('run: a file that is not there is named', async () => {
  const { code, stderr } = await run(['run', '--config', '/nonexistent/portero.yaml']);
  assert.equal(code, 1);
  assert.match(stderr, /\/nonexistent\/portero\.yaml/);
});

test('run: an address that is taken is named', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const folder = temporaryFolder();
  const config = path.join(folder, 'portero.yaml');
  writeFileSync(config, `http_port: ${taken.address().port}\nhttps_port: ${await freePort()}\n`
    + `bind: 127.0.0.1\nstorage: ${folder}/storage\nadmin: unix:${folder}/admin.sock\n${hello}`);
  const { code, stderr } = await run(['run', '--config', config]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${taken.address().port}`));
});

test('usage: wrong words end with exit status 2', async () => {
  for (const args of [['frobnicate'], ['run', '--no-such-option'], ['explain'], []]) {
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 2, `portero ${args.join(' ')}: ${stdout}${stderr}`);
  }
});
