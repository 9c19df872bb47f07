// Records after the handshake: what is sealed can be opened, what is forged, misplaced or too much
// is refused with the alert that RFC 8446 names.
#include "tls/record_layer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tls/testing/hex.h"
#include "tls/testing/world.h"

namespace tls {
namespace {

using testing::from_hex;

using Use = RecordProtection::Use;
using What = RecordLayer::Read::What;

constexpr std::uint16_t kAes128 = 0x1301;
constexpr std::uint16_t kAes256 = 0x1302;
constexpr std::uint16_t kChaCha = 0x1303;

Secret random_secret(std::uint16_t suite) {
  Secret secret;
  base::fill_random(secret.resize(suite == kAes256 ? 48 : 32));
  return secret;
}

// A server's record layer and, in place of the client, the bare protection of either direction.
class RecordLayerTest : public ::testing::TestWithParam<std::uint16_t> {
 protected:
  RecordLayerTest() : RecordLayerTest(kAes128) {}
  explicit RecordLayerTest(std::uint16_t suite)
      : secrets{.client = random_secret(suite), .server = random_secret(suite)},
        server(RecordLayer::make(world.library.state(), suite, secrets, 0)),
        client_out(RecordProtection::make(world.library.state(), suite, secrets.client, Use::seal)),
        client_in(RecordProtection::make(world.library.state(), suite, secrets.server, Use::open)) {
  }

  std::string sealed(ContentType type, std::string_view content) {
    std::string record;
    EXPECT_TRUE(client_out->seal(type, content, record));
    return record;
  }
  std::expected<RecordLayer::Read, RecordLayer::Failure> read(std::string record) {
    last = std::move(record);
    return server->read(last, replies);
  }
  /// The client's next read of what the server wrote; the type in front.
  std::string opened(std::string& bytes) {
    const std::size_t size = RecordLayer::size_of_first(bytes);
    EXPECT_LE(size, bytes.size());
    const auto got = client_in->open(std::span(bytes).first(size));
    EXPECT_TRUE(got.has_value());
    std::string text;
    if (got) {
      text = std::to_string(static_cast<int>(got->type)) + ":";
      text.append(got->content.data(), got->content.size());
    }
    bytes.erase(0, size);
    return text;
  }

  testing::World world;
  ConnectionSecrets secrets;
  std::unique_ptr<RecordLayer> server;
  std::unique_ptr<RecordProtection> client_out;
  std::unique_ptr<RecordProtection> client_in;
  std::string last;
  std::string replies;
};

class EverySuite : public RecordLayerTest {
 protected:
  EverySuite() : RecordLayerTest(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Suites, EverySuite, ::testing::Values(kAes128, kAes256, kChaCha));

TEST_P(EverySuite, PassesBytesBothWays) {
  for (const std::size_t size : {1U, 2U, 15U, 16U, 17U, 1000U, 16383U, 16384U}) {
    const std::string text(size, static_cast<char>('a' + size % 20));
    const auto read_back = read(sealed(ContentType::application_data, text));
    ASSERT_TRUE(read_back) << read_back.error().reason;
    EXPECT_EQ(std::string(read_back->data.data(), read_back->data.size()), text);
    std::string out = "before";
    ASSERT_TRUE(server->write(text, out));
    EXPECT_TRUE(out.starts_with("before"));
    out.erase(0, 6);
    EXPECT_EQ(opened(out), "23:" + text);
    EXPECT_TRUE(out.empty());
  }
}

TEST_P(EverySuite, ChangesKeysWhenThePeerDoesAndWhenAsked) {
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(read(sealed(ContentType::handshake, std::string("\x18\0\0\1\1", 5))));
    ASSERT_TRUE(client_out->advance());
    EXPECT_EQ(opened(replies), std::string("22:\x18\0\0\1\0", 8));
    ASSERT_TRUE(client_in->advance());
    const auto data = read(sealed(ContentType::application_data, "new key"));
    ASSERT_TRUE(data) << data.error().reason;
    EXPECT_EQ(std::string(data->data.data(), data->data.size()), "new key");
    std::string out;
    ASSERT_TRUE(server->write(std::string_view("new key, too"), out));
    EXPECT_EQ(opened(out), "23:new key, too");
  }
  ASSERT_TRUE(read(sealed(ContentType::handshake, std::string("\x18\0\0\1\0", 5))));
  EXPECT_TRUE(replies.empty());  // it did not ask for ours
}

// RFC 8448 §3: the records of application data, of the client and of the server.
TEST_F(RecordLayerTest, SealsWhatTheRfcsTraceShows) {
  std::string content;
  for (char byte = 0; byte < 50; ++byte) content += byte;
  Secret secret;
  secret.assign(from_hex(
      "9e 40 64 6c e7 9a 7f 9d c0 5a f8 88 9b ce 65 52 87 5a fa 0b 06 df 00 87 f7 92 eb b7 c1 75 "
      "04 a5"));
  const auto client = RecordProtection::make(world.library.state(), kAes128, secret, Use::seal);
  std::string record;
  ASSERT_TRUE(client->seal(ContentType::application_data, content, record));
  EXPECT_EQ(std::vector<std::uint8_t>(record.begin(), record.end()),
            from_hex("17 03 03 00 43 a2 3f 70 54 b6 2c 94 d0 af fa fe 82 28 ba 55 cb ef ac "
                     "ea 42 f9 14 aa 66 bc ab 3f 2b 98 19 a8 a5 b4 6b 39 5b d5 4a 9a 20 44 "
                     "1e 2b 62 97 4e 1f 5a 62 92 a2 97 70 14 bd 1e 3d ea e6 3a ee bb 21 69 "
                     "49 15 e4"));
}

TEST_F(RecordLayerTest, TellsTheEndFromOtherAlerts) {
  EXPECT_EQ(read(sealed(ContentType::alert, std::string("\1\x5a", 2)))->what, What::nothing);
  const auto end = read(sealed(ContentType::alert, std::string("\1\0", 2)));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->what, What::end);
  const auto broken = read(sealed(ContentType::alert, "\1\x2a"));  // the level means nothing
  ASSERT_FALSE(broken);
  EXPECT_TRUE(broken.error().received);
  EXPECT_EQ(broken.error().reason, "sslv3 alert bad certificate:SSL alert number 42");
  std::string out;
  server->write_alert(Alert::close_notify, out);
  EXPECT_EQ(opened(out), std::string("21:\1\0", 5));
  server->write_alert(Alert::bad_record_mac, out);
  EXPECT_EQ(opened(out), "21:\2\x14");
}

TEST_F(RecordLayerTest, RefusesWhatIsMisplacedWithItsAlert) {
  struct Case {
    std::string_view what;
    ContentType type;
    std::string content;
    Alert alert;
  };
  const std::array cases{
      Case{"a new handshake", ContentType::handshake, std::string("\1\0\0\1x", 5),
           Alert::unexpected_message},
      Case{"a certificate", ContentType::handshake, std::string("\x0b\0\0\1x", 5),
           Alert::unexpected_message},
      Case{"a key update with a tail", ContentType::handshake, std::string("\x18\0\0\1\0\x18", 6),
           Alert::unexpected_message},
      Case{"a key update of another size", ContentType::handshake, std::string("\x18\0\0\2\0", 5),
           Alert::unexpected_message},
      Case{"a key update of a third kind", ContentType::handshake, std::string("\x18\0\0\1\2", 5),
           Alert::illegal_parameter},
      Case{"no message", ContentType::handshake, "", Alert::unexpected_message},
      Case{"half an alert", ContentType::alert, "\1", Alert::decode_error},
      Case{"two alerts", ContentType::alert, std::string("\1\0\1\0", 4), Alert::decode_error},
      Case{"no alert", ContentType::alert, "", Alert::decode_error},
      Case{"change_cipher_spec", ContentType::change_cipher_spec, "\1", Alert::unexpected_message},
      Case{"a heartbeat", static_cast<ContentType>(24), "\1", Alert::unexpected_message},
  };
  for (const Case& one : cases) {
    const auto got = read(sealed(one.type, one.content));
    ASSERT_FALSE(got) << one.what;
    EXPECT_EQ(got.error().alert, one.alert) << one.what;
    EXPECT_FALSE(got.error().received) << one.what;
    EXPECT_TRUE(replies.empty()) << one.what;
    server = RecordLayer::make(world.library.state(), kAes128, secrets, 0);
    client_out = RecordProtection::make(world.library.state(), kAes128, secrets.client, Use::seal);
  }
}

TEST_F(RecordLayerTest, RefusesEveryForgedByte) {
  const std::string record = sealed(ContentType::application_data, "pay 10");
  for (std::size_t at = 0; at < record.size(); ++at) {
    if (at == 3 || at == 4) continue;  // the size: another record
    std::string forged = record;
    forged[at] = static_cast<char>(forged[at] ^ 1);
    const auto layer = RecordLayer::make(world.library.state(), kAes128, secrets, 0);
    const auto got = layer->read(forged, replies);
    ASSERT_FALSE(got) << at;
    EXPECT_EQ(got.error().alert, Alert::bad_record_mac);
    EXPECT_EQ(forged.find("pay"), std::string::npos);  // nothing unauthentic is left to be seen
  }
}

TEST_F(RecordLayerTest, RefusesARecordThatComesTwiceOrOutOfOrder) {
  const std::string first = sealed(ContentType::application_data, "1");
  const std::string second = sealed(ContentType::application_data, "2");
  ASSERT_TRUE(read(first));
  EXPECT_EQ(read(first).error().alert, Alert::bad_record_mac);
  const auto other = RecordLayer::make(world.library.state(), kAes128, secrets, 0);
  std::string early = second;
  EXPECT_EQ(other->read(early, replies).error().alert, Alert::bad_record_mac);
}

TEST_F(RecordLayerTest, PutsAKeyUpdateInPiecesTogetherButNothingBetween) {
  const std::string update("\x18\0\0\1\0", 5);
  for (const char byte : update) {
    ASSERT_TRUE(read(sealed(ContentType::handshake, std::string(1, byte))));
  }
  ASSERT_TRUE(client_out->advance());
  ASSERT_TRUE(read(sealed(ContentType::application_data, "x")));
  ASSERT_TRUE(read(sealed(ContentType::handshake, update.substr(0, 2))));
  EXPECT_EQ(read(sealed(ContentType::application_data, "x")).error().alert,
            Alert::unexpected_message);
}

TEST_F(RecordLayerTest, TurnsAwayAPeerWhoSendsRecordsWithoutData) {
  for (const ContentType type : {ContentType::application_data, ContentType::handshake}) {
    server = RecordLayer::make(world.library.state(), kAes128, secrets, 0);
    client_out = RecordProtection::make(world.library.state(), kAes128, secrets.client, Use::seal);
    const bool updates = type == ContentType::handshake;
    const std::string content = updates ? std::string("\x18\0\0\1\1", 5) : "";
    const auto one = [&] {
      const auto got = read(sealed(type, content));
      if (updates) EXPECT_TRUE(client_out->advance());
      return got.has_value();
    };
    for (unsigned i = 0; i < RecordLayer::kMaxWithoutData; ++i) ASSERT_TRUE(one());
    ASSERT_TRUE(read(sealed(ContentType::application_data, "data")));  // and all is forgiven
    for (unsigned i = 0; i < RecordLayer::kMaxWithoutData; ++i) ASSERT_TRUE(one());
    EXPECT_FALSE(one());
  }
}

TEST_F(RecordLayerTest, TurnsAwayAPeerAfterAsManyRecordsWithoutDataAsItIsTold) {
  server = RecordLayer::make(world.library.state(), kAes128, secrets, 0, 2);
  ASSERT_TRUE(read(sealed(ContentType::application_data, "")));
  ASSERT_TRUE(read(sealed(ContentType::application_data, "")));
  EXPECT_TRUE(read(sealed(ContentType::application_data, "")).error().flood);
}

TEST_F(RecordLayerTest, RefusesHeadersBeforeTheirRecordIsThere) {
  const auto refused = [](std::string_view header) {
    const auto checked = RecordLayer::check_header(header);
    return checked ? std::string("fine") : checked.error().reason;
  };
  EXPECT_EQ(refused(std::string_view("\x17\3\3\x41\0", 5)), "fine");
  EXPECT_EQ(refused(std::string_view("\x17\3\3\x41\1", 5)), "packet length too long");
  EXPECT_EQ(refused(std::string_view("\x15\3\3\0\2", 5)), "unexpected record");  // in the clear
  EXPECT_EQ(refused(std::string_view("\x14\3\3\0\1", 5)), "unexpected record");
  EXPECT_EQ(refused("GET / "), "unexpected record");
  EXPECT_EQ(RecordLayer::size_of_first(std::string_view("\x17\3\3\0", 4)), 0U);
  EXPECT_EQ(RecordLayer::size_of_first(std::string_view("\x17\3\3\1\2", 5)), 5 + 258U);
}

TEST_F(RecordLayerTest, BearsPaddingAndRefusesRecordsOfNothingElse) {
  // Zeros behind the content and its type are padding (§5.4): a content of zeros has no type.
  std::string text("hello\x17\0\0\0", 9);
  const auto padded = read(sealed(static_cast<ContentType>(0), text));
  ASSERT_TRUE(padded);
  EXPECT_EQ(std::string(padded->data.data(), padded->data.size()), "hello");
  const auto zeros = read(sealed(static_cast<ContentType>(0), std::string(20, '\0')));
  ASSERT_FALSE(zeros);
  EXPECT_EQ(zeros.error().alert, Alert::unexpected_message);
}

// RFC 8446 §5.5: before a key has protected too much there is a new one.
TEST_F(RecordLayerTest, ChangesItsOwnKeyWhenThatHasProtectedEnough) {
  constexpr std::uint64_t most = RecordProtection::kMaxRecords;
  server = RecordLayer::make(world.library.state(), kAes128, secrets, most - 1);
  client_in =
      RecordProtection::make(world.library.state(), kAes128, secrets.server, Use::open, most - 1);
  std::string out;
  ASSERT_TRUE(server->write(std::string_view("last"), out));
  ASSERT_TRUE(server->write(std::string_view("first"), out));
  EXPECT_EQ(opened(out), "23:last");
  EXPECT_EQ(opened(out), std::string("22:\x18\0\0\1\0", 8));
  ASSERT_TRUE(client_in->advance());
  EXPECT_EQ(opened(out), "23:first");
  EXPECT_TRUE(out.empty());
}

TEST_F(RecordLayerTest, LeavesToOpenSslWhatItDoesNotKnow) {
  EXPECT_EQ(RecordLayer::make(world.library.state(), 0x1304, secrets, 0), nullptr);  // CCM
  EXPECT_EQ(RecordLayer::make(world.library.state(), kAes256, secrets, 0), nullptr);  // 32 bytes
  EXPECT_EQ(RecordLayer::make(world.library.state(), kAes128, {}, 0), nullptr);
}

}  // namespace
}  // namespace tls
