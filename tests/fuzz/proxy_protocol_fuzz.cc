// needs: io
// PROXY protocol headers: the parser wants more only while that is the header's, takes the same
// header from any slicing, and what it accepted is within its bounds and reads back when written.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "io/proxy_protocol.h"

namespace {

using io::ProxyDefect;
using io::ProxyHeader;
using io::ProxyProgress;

/// In the steps that the parser wants, at most `slice` bytes at a time.
ProxyProgress feed(std::string_view bytes, std::size_t slice, ProxyHeader& header) {
  std::size_t given = 0;
  while (true) {
    const ProxyProgress progress = io::parse_proxy_header(bytes.substr(0, given), header);
    if (progress.done()) CHECK(progress.size == given);
    if (progress.done() || progress.defect != ProxyDefect::none) return progress;
    CHECK(progress.wanted > 0 && given + progress.wanted <= io::kMaxProxyHeader);
    const std::size_t step = std::min({progress.wanted, slice, bytes.size() - given});
    if (step == 0) return progress;
    given += step;
  }
}

void check_accepted(const ProxyHeader& header, std::string_view bytes, std::size_t size) {
  CHECK(header.tlvs.empty() || header.tlvs.data() + header.tlvs.size() == bytes.data() + size);
  if (header.origin == ProxyHeader::Origin::local || !header.source.is_ip()) return;
  CHECK(header.source.family() == header.destination.family());
  for (const auto version : {io::ProxyVersion::v1, io::ProxyVersion::v2}) {
    const std::string made = io::make_proxy_header(version, header.source, header.destination);
    ProxyHeader again;
    CHECK(feed(made, made.size(), again).size == made.size());
    CHECK(again.source == header.source && again.destination == header.destination);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ProxyHeader whole;
  const ProxyProgress at_once = feed(bytes, io::kMaxProxyHeader, whole);
  ProxyHeader sliced;
  const ProxyProgress in_slices = feed(bytes, 1, sliced);
  CHECK(at_once.size == in_slices.size);
  CHECK((at_once.defect != ProxyDefect::none) == (in_slices.defect != ProxyDefect::none));
  if (at_once.done()) {
    CHECK(whole.source == sliced.source && whole.tlvs == sliced.tlvs);
    check_accepted(whole, bytes, at_once.size);
  }
  return 0;
}
