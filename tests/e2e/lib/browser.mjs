// How the tests start Debian's Chromium: no sandbox (they run as root in containers), no traffic of
// its own, and "localhost" on IPv4 only, where the tests listen.
export const chromiumOptions = {
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update',
         '--disable-sync', '--disable-quic', '--no-first-run',
         '--host-resolver-rules=MAP localhost 127.0.0.1'],
};
