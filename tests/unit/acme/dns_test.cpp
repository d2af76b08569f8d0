#include <doctest/doctest.h>

#include "acme/dns_api.hpp"
#include "acme/dns_client.hpp"
#include "acme/dns_proof.hpp"
#include "acme/dns_provider.hpp"
#include "acme/process.hpp"

using namespace portero::acme;

TEST_CASE("dns: the address of a server, with a port and without") {
  CHECK(DnsServer::parse("10.0.0.53:5353").text() == "10.0.0.53:5353");
  CHECK(DnsServer::parse("10.0.0.53").text() == "10.0.0.53:53");
  CHECK(DnsServer::parse("2001:db8::53").text() == "[2001:db8::53]:53");
  CHECK(DnsServer::parse("[2001:db8::53]:5353").text() == "[2001:db8::53]:5353");
  CHECK(DnsServer::parse("[2001:db8::53]:5353").address == "2001:db8::53");
}

TEST_CASE("dns: the record of a name, and its part before the zone") {
  CHECK(challenge_record_name("example.com") == "_acme-challenge.example.com");
  CHECK(challenge_record_name("*.example.com") == "_acme-challenge.example.com");
  CHECK(name_in_zone({"_acme-challenge.www.example.com", "example.com", ""}) ==
        "_acme-challenge.www");
  CHECK(name_in_zone({"d.acme-dns.example", "d.acme-dns.example", ""}) == "@");
  CHECK(url_encoded("@ *.a_b-c~") == "%40%20%2A.a_b-c~");
}

TEST_CASE("process: arguments, environment and the last words of a command") {
  StopSignal stop;
  Command command;
  command.path = "/bin/sh";
  command.environment = {{"PORTERO_TEST", "a b"}};
  command.arguments = {"-c", R"(test "$PORTERO_TEST $1" = "a b c")", "sh", "c"};
  CHECK(run_command(command, stop) == "");
  command.arguments = {"-c", "echo one; echo two >&2; exit 3"};
  CHECK(run_command(command, stop) == "/bin/sh ended with status 3: one two");
  command.arguments = {"-c", "kill -9 $$"};
  CHECK(run_command(command, stop) == "/bin/sh was ended by signal 9");
  command.path = "/nowhere/hook";
  CHECK(run_command(command, stop) == "/nowhere/hook cannot be run: No such file or directory");
}

TEST_CASE("process: what takes too long is ended, and so is all that a stop finds") {
  StopSignal stop;
  Command command;
  command.path = "/bin/sh";
  command.arguments = {"-c", "sleep 100 & wait"};
  command.timeout = std::chrono::milliseconds(1);
  CHECK(run_command(command, stop) == "/bin/sh did not end within 0 s");
  stop.stop();
  CHECK_THROWS_AS(run_command(command, stop), Stopped);
}
