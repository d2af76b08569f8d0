import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';

import { backend, h2request, portero, temporaryFolder, waitFor } from './harness.mjs';

const lines = (file) =>
  existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').filter(Boolean) : [];

test('access log: JSON, one line per request, secrets masked', async (t) => {
  const upstream = await backend(t);
  const file = path.join(temporaryFolder(), 'access.log');
  const edge = await portero(t, `
sites:
  localhost:
    log: {file: ${file}, format: json}
    proxy: ${upstream.address}
`);
  const secrets = {
    Authorization: 'Bearer hunter2', Cookie: 's=hunter2', Referer: 'https://a/?token=hunter2',
  };
  await edge.get('/a?auth_key=hunter2&b=c&auth_signature=hunter2', { headers: secrets });
  await h2request(await edge.h2(), { ':path': '/"quoted"', 'user-agent': 'x"y\\z' });
  await waitFor('two lines', () => lines(file).length === 2);
  const [first, second] = lines(file).map((line) => JSON.parse(line));
  assert.equal(first.method, 'GET');
  assert.equal(first.status, 200);
  assert.equal(first.host, 'localhost');
  assert.equal(first.client_ip, '127.0.0.1');
  assert.equal(first.uri, '/a?auth_key=***&b=c&auth_signature=***');
  assert.ok(first.bytes_sent > 0 && first.duration_ms >= 0);
  assert.match(first.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
  assert.equal(first.upstream, upstream.address);
  assert.equal(second.uri, '/"quoted"');
  assert.match(second.protocol, /2/);
  assert.ok(!readFileSync(file, 'utf8').includes('hunter2'));
});

test('access log: console lines, and none for a site or route that is off', async (t) => {
  const file = path.join(temporaryFolder(), 'access.log');
  const edge = await portero(t, `
sites:
  http://localhost:
    log: {file: ${file}, format: console}
    routes:
      - {match: /up, log: off, respond: ok}
      - respond: {status: 418, body: teapot}
  http://quiet.test: {respond: x}
`);
  await edge.get('/up', { tls: false });
  await edge.get('/', { tls: false, host: 'quiet.test' });
  await edge.get('/seen', { tls: false });
  await waitFor('a line', () => lines(file).length > 0);
  assert.equal(lines(file).length, 1);
  assert.match(lines(file)[0], /GET http:\/\/localhost\/seen/);
  assert.match(lines(file)[0], /\b418\b/);
  assert.ok(!edge.stderr.includes('/up'));
});

test('access log: a file that was moved away is opened again', async (t) => {
  const file = path.join(temporaryFolder(), 'access.log');
  const edge = await portero(t, `sites:\n  http://localhost: {log: ${file}, respond: x}\n`);
  await edge.get('/one', { tls: false });
  await waitFor('a line', () => lines(file).length === 1);
  renameSync(file, `${file}.1`);
  await edge.get('/two', { tls: false });
  await waitFor('the new file', () => lines(file).some((line) => line.includes('/two')));
  assert.equal(lines(`${file}.1`).length, 1);
});
