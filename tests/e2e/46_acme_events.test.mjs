// Who is told what happens to certificates: a command, a webhook, Prometheus.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';

import { freePort, portero, temporaryFolder, waitFor } from './harness.mjs';
import { issuer, obtained, somePorts } from './lib/acme.mjs';
import { selfSigned } from './lib/certificates.mjs';
import { pebble } from './lib/pebble.mjs';

async function webhook(t) {
  const hook = { events: [], refuse: 0 };
  const server = http.createServer(async (request, answer) => {
    let text = '';
    for await (const piece of request) text += piece;
    hook.refuse -= 1;
    if (hook.refuse < 0) hook.events.push(JSON.parse(text));
    answer.writeHead(hook.refuse < 0 ? 204 : 503).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  hook.url = `http://127.0.0.1:${server.address().port}/hook`;
  return hook;
}

function command(text) {
  const folder = temporaryFolder();
  const file = path.join(folder, 'hook');
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  return { file, folder };
}

test('events: obtained, failed and days left, to a command and a webhook', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const hook = await webhook(t);
  hook.refuse = 1; // an answer that is no 2xx is tried again
  const { file, folder } = command('echo "$@ $PORTERO_ISSUER $PORTERO_TEXT" >> "$0.log"');
  const { cert, key } = selfSigned(folder, 'files.example.com', { days: 2 });
  const config = (more) => `
acme:
  preflight: false
  issuers: [${issuer(authority)}]
  events: {exec: ${file}, webhook: "${hook.url}", days_left: [30, 1]}
sites:
  www.example.com: {respond: www}
  files.example.com: {tls: {cert: ${cert}, key: ${key}}, respond: files}
${more}`;
  const edge = await portero(t, config(''), { ports });
  await obtained(edge, ['www.example.com']);
  await waitFor('the webhook', () => hook.events.length === 1);
  const [event] = hook.events;
  assert.equal(event.event, 'certificate_obtained');
  assert.equal(event.name, 'www.example.com');
  assert.match(event.not_after, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  await waitFor('the command', () => readFileSync(`${file}.log`, 'utf8')
    .includes('certificate_obtained www.example.com localhost:'));

  await t.test('a failure is told with its reason and the next try', async () => {
    edge.write(config(`  refused.example.com:
    tls: {issuers: {directory: "https://localhost:${await freePort()}/dir"}}
    respond: no
`));
    await edge.command('reload');
    await waitFor('the failure', () => hook.events.length === 2);
    const failed = hook.events[1];
    assert.equal(failed.event, 'certificate_failed');
    assert.equal(failed.name, 'refused.example.com');
    assert.match(failed.text, /cannot reach the authority/);
    assert.ok(Date.parse(failed.next_try) > Date.now());
  });

  await t.test('a certificate from files that nears its end is told, too', async () => {
    selfSigned(folder, 'files.example.com', { days: 60 }); // valid for long: nothing to tell
    await waitFor('the swap', () => edge.stderr.includes('file changed'));
    assert.equal(hook.events.length, 2);
    await edge.stop();
    const env = {
      LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
      FAKETIME: '+59d',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
    await edge.start({ env });
    await waitFor('the warning', () => hook.events.some((one) =>
      one.event === 'certificate_expires' && one.name === 'files.example.com'));
    const { text } = hook.events.find((one) => one.name === 'files.example.com');
    assert.match(text, /expires in 1 day or less/);
    assert.match(edge.stderr, /tls\.certificate_expires/);
  });
});

test('events: a hook that fails harms nobody and is told', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const { file } = command('echo no mail today; exit 1');
  const edge = await portero(t, `
acme: {preflight: false, issuers: [${issuer(authority)}], events: {exec: ${file}}}
sites:
  www.example.com: {respond: www}
`, { ports });
  await obtained(edge, ['www.example.com']);
  await waitFor('the log', () => /acme\.event_failed.*no mail today/.test(edge.stderr));
});

test('metrics: for Prometheus, on an address of their own', async (t) => {
  const ports = await somePorts();
  const authority = await pebble(t, { ports });
  const metrics = await freePort();
  const config = (address) => `
metrics: ${address}
acme: {preflight: false, issuers: [${issuer(authority)}]}
sites:
  www.example.com: {respond: www}
  localhost: {respond: here}
`;
  const edge = await portero(t, config(`127.0.0.1:${metrics}`), { ports });
  await obtained(edge, ['www.example.com']);
  for (let i = 0; i < 3; i += 1) await edge.get('/', { host: 'localhost' });
  const read = async (port, target = '/metrics') => {
    const answer = await fetch(`http://127.0.0.1:${port}${target}`);
    return { status: answer.status, type: answer.headers.get('content-type'),
      text: await answer.text() };
  };
  const page = await read(metrics);
  assert.equal(page.status, 200);
  assert.match(page.type, /^text\/plain; version=0\.0\.4/);
  const value = (pattern) =>
    Number(new RegExp(`^${pattern} (-?[\\d.e+]+)$`, 'm').exec(page.text)?.[1]);
  const left = value('portero_certificate_expiry_seconds\\{name="www.example.com"\\}');
  assert.ok(left > 86_400 && left < 10 * 365 * 86_400, page.text);
  assert.ok(value('portero_certificate_expiry_seconds\\{name="localhost"\\}') > 0);
  assert.equal(value('portero_certificate_obtained\\{name="www.example.com"\\}'), 1);
  const requests = [...page.text.matchAll(/^portero_requests_total\{worker="\d"\} (\d+)$/gm)]
    .reduce((sum, [, count]) => sum + Number(count), 0);
  assert.ok(requests >= 3);
  // Every line is a comment or a sample.
  for (const line of page.text.trimEnd().split('\n')) {
    assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"\})? -?[\d.e+]+)$/);
  }
  assert.equal((await read(metrics, '/other')).status, 404);
  const posted = await fetch(`http://127.0.0.1:${metrics}/metrics`, { method: 'POST' });
  assert.equal(posted.status, 405);

  await t.test('moves with a reload; an address that is taken is refused', async () => {
    const next = await freePort();
    edge.write(config(`127.0.0.1:${next}`));
    assert.equal((await edge.command('reload')).code, 0);
    assert.equal((await read(next)).status, 200);
    await assert.rejects(read(metrics));
    edge.write(config(`127.0.0.1:${authority.port}`));
    const { code, stderr } = await edge.command('reload');
    assert.equal(code, 1);
    assert.match(stderr, /cannot listen on 127\.0\.0\.1:\d+ for `metrics`: .*in use/);
    assert.equal((await read(next)).status, 200);
  });
});
