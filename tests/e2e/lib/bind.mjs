// A real name server, bind9, with zones of the test's own, and the tools that change and ask it.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { temporaryFolder, waitFor } from '../harness.mjs';

const run = promisify(execFile);

export const tsigKey = { name: 'acme.', secret: 'c2VjcmV0IG9mIHRoZSB0ZXN0IGFuZCBubyBvdGhlcg==' };

// Changes records by lines of nsupdate(1), without a signature.
export async function nsupdate(...lines) {
  const child = execFile('nsupdate', ['-t', '5']);
  let text = '';
  child.stderr.on('data', (data) => (text += data));
  child.stdin.end(`server 127.0.0.1\n${lines.join('\n')}\nsend\n`);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`nsupdate: ${text}`);
}

// The values of a name's TXT records at one server.
export async function texts(name, server = '127.0.0.1') {
  const { stdout } = await run('dig',
    ['+short', '+norecurse', '+tries=1', '+time=2', `@${server}`, 'TXT', name]);
  return stdout.split('\n').filter((line) => line.startsWith('"'))
    .map((line) => line.slice(1, -1));
}

// Serves on port 53 of `address`. `zones`: {name: {records: [lines], update: 'an acl'}}; with
// `primary` it copies the zones from there.
export async function bind(t, { address = '127.0.0.1', primary, zones }) {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'zones'));
  const declared = Object.entries(zones).map(([name, { records = [], update = 'none;' }]) => {
    const file = path.join(folder, 'zones', name);
    if (primary) {
      return `zone "${name}" { type secondary; primaries { ${primary}; }; file "${file}";
        allow-notify { any; }; };`;
    }
    writeFileSync(file, `$TTL 60
@ IN SOA ns1.${name}. admin.${name}. 1 60 60 3600 1
${records.join('\n')}
`);
    return `zone "${name}" { type primary; file "${file}"; allow-update { ${update} };
      notify yes; };`;
  });
  const config = path.join(folder, 'named.conf');
  writeFileSync(config, `
options {
  directory "${folder}"; pid-file none; session-keyfile none; listen-on { ${address}; };
  listen-on-v6 { none; }; recursion yes; empty-zones-enable no;
  dnssec-validation no; allow-transfer { any; };
  notify-source ${address}; query-source address ${address}; notify-delay 0;
};
controls { };
key "${tsigKey.name}" { algorithm hmac-sha256; secret "${tsigKey.secret}"; };
${declared.join('\n')}
`);
  // A copy, as AppArmor lets Debian's own program read its usual folders only.
  const program = path.join(folder, 'named');
  copyFileSync('/usr/sbin/named', program);
  const child = spawn(program, ['-g', '-n', '1', '-c', config]);
  child.text = '';
  child.stderr.on('data', (data) => (child.text += data));
  t.after(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (!t.passed) console.error(child.text.slice(-4_000));
  });
  await waitFor(`bind9 on ${address}`, () => {
    if (child.exitCode !== null) throw new Error(child.text);
    if (child.text.includes('not loaded due to errors')) throw new Error(child.text);
    return / running\n/.test(child.text);
  });
  if (primary) {
    await waitFor('the copied zones', () => Object.keys(zones).every((name) =>
      child.text.includes(`zone ${name}/IN: transferred serial`)));
  }
  return child;
}
