// Looks at what an authority will look at, before it is asked: what surely fails costs the name one
// of its few orders otherwise. Where this machine cannot know, the authority decides.
// Thread: the ACME threads; blocks, for up to 3 s per address and port. Owner: the ACME service.
#pragma once

#include <string>
#include <vector>

#include "acme/challenge_board.hpp"
#include "acme/dns_client.hpp"
#include "acme/http_client.hpp"

namespace portero::acme {

struct PreflightTools {
  const DnsClient& dns;
  HttpClient& http;
  ChallengeBoard& board;
};

struct Outlook {
  std::vector<std::string> challenges;  // that may succeed, in the order given
  std::string obstacles;                // why the others cannot, and what to change; "" = nothing
  std::string doubts;                   // what looks wrong but proves nothing
};

struct PreflightPlan {
  std::string name;
  std::vector<std::string> challenges;
  bool only_public = false;  // no authority that is asked could reach a private address
  // Whether what another server answers on our ports is only a doubt: a router may answer for its
  // own address from within. Set after failures, as the authority's staging can be asked then.
  bool trust_others = false;
};

// Errors: none; what cannot be looked up is a doubt.
Outlook look_ahead(const PreflightTools& tools, const PreflightPlan& plan);

// Throws AcmeFailure of the type "caa" when CAA records keep the authority from the name.
// `identities` are the authority's; nothing is checked without any. Source: RFC 8659 §4.
void check_caa(const DnsClient& dns, const std::string& name,
               const std::vector<std::string>& identities);

// Whether the records allow one of the identities; `wildcard` as for "*.example.com". Pure.
bool caa_allows(const std::vector<CaaRecord>& records, bool wildcard,
                const std::vector<std::string>& identities);

}  // namespace portero::acme
