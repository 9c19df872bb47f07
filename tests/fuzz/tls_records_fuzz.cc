// needs: tls tls_testing io_testing
// A hostile client after its handshake: it has the keys, so what it protects is authentic. The
// input is a list of what it does: two bytes for what and how long, then the content.
#include <cstdint>
#include <span>

#include "tls/record_layer.h"
#include "tls/testing/world.h"

namespace {

struct Target {
  Target() {
    for (std::uint8_t& byte : secrets.client.resize(32)) byte = 1;
    for (std::uint8_t& byte : secrets.server.resize(32)) byte = 2;
  }
  tls::testing::World world;
  tls::ConnectionSecrets secrets;
};

constexpr std::uint16_t kSuite = 0x1301;
constexpr std::size_t kMaxReplies = tls::RecordLayer::kMaxWithoutData * 64;

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Target* const target = new Target;  // OpenSSL's objects outlive main()'s statics
  tls::Library::State& library = target->world.library.state();
  const auto server = tls::RecordLayer::make(library, kSuite, target->secrets, 0);
  const auto client = tls::RecordProtection::make(library, kSuite, target->secrets.client,
                                                  tls::RecordProtection::Use::seal);
  CHECK(server && client);
  std::span input(reinterpret_cast<const char*>(data), size);
  while (input.size() >= 2) {
    const auto what = static_cast<unsigned char>(input[0]);
    const std::size_t wanted = static_cast<unsigned char>(input[1]);
    const auto content = input.subspan(2, std::min(wanted, input.size() - 2));
    input = input.subspan(2 + content.size());
    std::string record;
    if (what == 0xff) {
      CHECK(client->advance());
      continue;
    }
    if (what == 0xfe) {
      record.assign(content.data(), content.size());  // not protected at all
    } else {
      CHECK(client->seal(static_cast<tls::ContentType>(what), content, record));
    }
    const std::size_t whole = tls::RecordLayer::size_of_first(record);
    if (whole == 0 || !tls::RecordLayer::check_header(record) || whole > record.size()) return 0;
    std::string replies;
    const auto read = server->read(std::span(record).first(whole), replies);
    CHECK(replies.size() <= kMaxReplies);
    if (!read) return 0;
    CHECK(read->data.size() <= tls::kMaxContent);
    CHECK((read->what == tls::RecordLayer::Read::What::data) == !read->data.empty());
    if (read->what == tls::RecordLayer::Read::What::end) return 0;
  }
  return 0;
}
