#include "cli.hpp"

int main(int argc, char** argv) { return portero::run_command_line(argc, argv); }
