// Access logs: formats, what is left out, files that roll.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';

import { portero, waitFor } from './harness.mjs';

const lines = (file) => readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
const written = (file, count) => waitFor(`${count} lines`, () => {
  try { return lines(file).length >= count && lines(file); } catch { return null; }
});

test('logs: combined, as the tools of Apache read it', async (t) => {
  const edge = await portero(t, `
trusted_proxies: loopback
sites:
  http://a.test: {log: {file: a.log, format: combined}, respond: hello}
`);
  const file = path.join(edge.folder, 'a.log');
  await edge.get('/x?auth_key=SECRET&a=1', { host: 'a.test', tls: false, headers: {
    'X-Forwarded-For': '192.0.2.7', 'User-Agent': 'evil "agent" \\ é',
    Referer: 'http://b.test/?token=T&q=1',
  } });
  await edge.get('/y', { host: 'a.test', tls: false });
  const [first, second] = await written(file, 2);
  assert.match(first, /^192\.0\.2\.7 - - \[\d\d\/[A-Z][a-z]{2}\/\d{4}(:\d\d){3} \+0000\] "GET /);
  const middle = '"GET /x?auth_key=***&a=1 HTTP/1.1" 200 5 "http://b.test/?token=***&q=1"';
  assert.ok(first.includes(middle), first);
  assert.ok(first.includes('"evil \\"agent\\" \\\\ \\x'), first);
  assert.match(second, /^127\.0\.0\.1 - - \[.*\] "GET \/y HTTP\/1\.1" 200 5 "-" "-"$/);
});

test('logs: filters, levels and ids', async (t) => {
  const edge = await portero(t, `
trusted_proxies: loopback
sites:
  http://a.test:
    log:
      file: a.log
      format: json
      filter:
        {client_ip: mask, user_agent: drop, referer: hash, query.email: mask, query.x: drop}
    routes: [{match: /ok, respond: "{request_id}"}]
  http://b.test:
    log: {file: b.log, level: warn}
    routes: [{match: /ok, respond: ok}, {match: /bad, respond: 500}]
  http://c.test:
    log: {file: c.log, level: error}
    routes: [{match: /ok, respond: ok}, {match: /bad, respond: 500}]
`);
  const ask = (host, target, headers = {}) => edge.get(target, { host, tls: false, headers });
  const log = (name) => path.join(edge.folder, name);
  const { text: id } = await ask('a.test', '/ok?email=me%40home&x=1&y=2&auth=s', {
    'X-Forwarded-For': '192.0.2.77', 'User-Agent': 'me', Referer: 'http://r/',
  });
  await ask('a.test', '/ok', { 'X-Forwarded-For': '2001:db8:1:2:3::4', Referer: 'http://r/' });
  const [one, two] = (await written(log('a.log'), 2)).map((line) => JSON.parse(line));
  assert.equal(one.client_ip, '192.0.2.0');
  assert.equal(two.client_ip, '2001:db8:1::');
  assert.equal(one.uri, '/ok?email=***&y=2&auth=***');
  assert.equal(one.request_id, id);
  assert.equal('user_agent' in one, false);
  assert.match(one.referer, /^[0-9a-f]{16}$/);
  assert.equal(two.referer, one.referer);
  for (const host of ['b.test', 'c.test']) {
    for (const target of ['/ok', '/none', '/bad']) await ask(host, target);
  }
  const statuses = async (name, count) =>
    (await written(log(name), count)).map((line) => JSON.parse(line).status);
  assert.deepEqual(await statuses('b.log', 2), [404, 500]);
  assert.deepEqual(await statuses('c.log', 1), [500]);
});

test('logs: a file rolls by size, compressed, with its mode; no line is lost', async (t) => {
  const edge = await portero(t, `
sites:
  http://a.test:
    log: {file: a.log, format: json, mode: "0644", roll: {size: 20KB, keep: 50}}
    respond: ok
`);
  const agent = edge.keepAliveAgent(false);
  const sent = 600;
  for (let i = 0; i < sent; ++i) await edge.get(`/${i}`, { host: 'a.test', tls: false, agent });
  const names = () => readdirSync(edge.folder).filter((name) => name.startsWith('a.log'));
  const seen = () => names().flatMap((name) => {
    const content = readFileSync(path.join(edge.folder, name));
    const text = name.endsWith('.gz') ? gunzipSync(content).toString() : content.toString();
    return text.trim().split('\n').filter(Boolean);
  });
  await waitFor('all lines in packed files', () => {
    const packed = names().filter((name) => /^a\.log\.\d{8}T\d{6}\.\d{3}Z\+*\.gz$/.test(name));
    const others = names().filter((name) => !name.endsWith('.gz'));
    return packed.length > 0 && others.length === 1 && seen().length >= sent;
  });
  const uris = new Set(seen().map((line) => JSON.parse(line).uri));
  assert.equal(uris.size, sent);
  for (const name of names()) {
    assert.equal(statSync(path.join(edge.folder, name)).mode & 0o777, 0o644, name);
  }
});

test('logs: a group that is not there is an error', async (t) => {
  const edge = await portero(t, `
sites:
  http://a.test: {log: {file: a.log}, respond: ok}
`);
  edge.write(`
sites:
  http://a.test: {log: {file: a.log, group: no-such-group}, respond: ok}
`);
  const { code, stderr } = await edge.command('reload');
  assert.equal(code, 1);
  assert.match(stderr, /there is no group "no-such-group"/);
});
