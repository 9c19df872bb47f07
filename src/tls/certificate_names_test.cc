#include "tls/certificate_names.h"

#include <gtest/gtest.h>

namespace tls {
namespace {

TEST(CertificateNames, AWildcardStandsForOneLabel) {
  Certificate::Facts facts;
  facts.dns_names = {"example.com", "*.Example.net"};
  facts.ip_addresses = {"127.0.0.1", "::1"};
  for (const std::string_view host :
       {"example.com", "a.example.net", "127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]"}) {
    EXPECT_TRUE(covers(facts, host)) << host;
  }
  for (const std::string_view host : {"www.example.com", "example.net", "a.b.example.net",
                                      ".example.net", "", "127.0.0.2", "[::2]", "example.com."}) {
    EXPECT_FALSE(covers(facts, host)) << host;
  }
}

}  // namespace
}  // namespace tls
