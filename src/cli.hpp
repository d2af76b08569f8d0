// The command line: `portero run|check|reload|stop|status|explain|keys|schema|trust|version`.
// Exit status: 0 done, 1 a failure that was explained, 2 wrong usage.
// Thread: main.
#pragma once

namespace portero {

int run_command_line(int argc, char** argv);

}  // namespace portero
