// Frames and header blocks for tests and fuzzers: written by the byte, and read back as text.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2/frame_watch.h"
#include "http/h2/server_connection.h"

namespace http::h2 {

using Pairs = std::vector<std::pair<std::string, std::string>>;

inline std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

inline std::string frame(FrameType type, int flags, std::int32_t id, std::string_view payload) {
  std::string text = number(payload.size(), 3);
  text += static_cast<char>(type);
  text += static_cast<char>(flags);
  text += number(static_cast<std::uint32_t>(id), 4);
  return text.append(payload);
}

/// HPACK: literals without indexing and without Huffman (RFC 7541 §6.2.2).
inline std::string block(const Pairs& fields) {
  const auto text_of = [](std::string_view text) {
    std::string result;
    if (text.size() < 127) {
      result += static_cast<char>(text.size());
    } else {
      result += static_cast<char>(127);
      std::size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128) result += static_cast<char>(rest % 128 + 128);
      result += static_cast<char>(rest);
    }
    return result.append(text);
  };
  std::string result;
  for (const auto& [name, value] : fields) {
    result += '\0';
    result += text_of(name) + text_of(value);
  }
  return result;
}

inline constexpr int kEnd = kFlagEndStream;
inline constexpr int kEndHeaders = kFlagEndHeaders;

inline Pairs get(std::string_view path = "/", const Pairs& more = {}) {
  Pairs fields{{":method", "GET"},
               {":scheme", "https"},
               {":authority", "example.com"},
               {":path", std::string(path)}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}
inline Pairs post(const Pairs& more = {}) {
  Pairs fields = get("/", more);
  fields[0].second = "POST";
  return fields;
}
inline std::string headers(std::int32_t id, const Pairs& fields, int flags = kEnd) {
  return frame(FrameType::headers, flags | kEndHeaders, id, block(fields));
}
inline std::string data(std::int32_t id, std::string_view text, int flags = 0) {
  return frame(FrameType::data, flags, id, text);
}
inline std::string reset(std::int32_t id, std::uint32_t code = 8) {
  return frame(FrameType::rst_stream, 0, id, number(code, 4));
}
inline std::string window(std::int32_t id, std::uint32_t more) {
  return frame(FrameType::window_update, 0, id, number(more, 4));
}
inline std::string setting(std::uint16_t which, std::uint32_t value) {
  return frame(FrameType::settings, 0, 0, number(which, 2) + number(value, 4));
}
inline std::string preface() {
  return std::string(kPreface) + frame(FrameType::settings, 0, 0, "");
}

struct HeardFrame {
  FrameType type{};
  int flags = 0;
  std::int32_t id = 0;
  std::string payload;
};

/// What a client heard, one line a frame: "HEADERS 1 :status=200 server=x", "DATA 1 END hello",
/// "RST_STREAM 3 1", "GOAWAY 0 11".
class Listener {
 public:
  Listener() { nghttp2_hd_inflate_new(&inflater_); }
  ~Listener() { nghttp2_hd_inflate_del(inflater_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  std::vector<HeardFrame> frames(std::string_view bytes) {
    rest_.append(bytes);
    std::vector<HeardFrame> result;
    const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(rest_[i]); };
    while (rest_.size() >= kFrameHeader) {
      const std::size_t size = static_cast<std::size_t>(byte(0)) << 16U |
                               static_cast<std::size_t>(byte(1)) << 8U | byte(2);
      if (rest_.size() < kFrameHeader + size) break;
      HeardFrame heard{
          .type = static_cast<FrameType>(byte(3)), .flags = byte(4), .id = 0, .payload = {}};
      for (std::size_t i = 5; i < 9; ++i) heard.id = heard.id << 8 | byte(i);
      heard.payload = rest_.substr(kFrameHeader, size);
      rest_.erase(0, kFrameHeader + size);
      result.push_back(std::move(heard));
    }
    return result;
  }

  /// A whole header block, in the order of the blocks. Nothing: it cannot be decoded.
  std::optional<Pairs> decode(std::string_view block) {
    Pairs fields;
    auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    while (true) {
      nghttp2_nv nv{};
      int flags = 0;
      const ssize_t taken = nghttp2_hd_inflate_hd2(inflater_, &nv, &flags, at, left, 1);
      if (taken < 0) return std::nullopt;
      at += taken;
      left -= static_cast<std::size_t>(taken);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
        fields.emplace_back(std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
                            std::string(reinterpret_cast<char*>(nv.value), nv.valuelen));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return fields;
  }

  std::string text_of(const HeardFrame& heard) {
    const std::string id = std::to_string(heard.id);
    const std::string end = (heard.flags & kEnd) != 0 ? " END" : "";
    switch (heard.type) {
      case FrameType::headers:
      case FrameType::continuation: return "HEADERS " + id + end + fields_of(heard.payload);
      case FrameType::data:
        return "DATA " + id + end + (heard.payload.empty() ? "" : " " + heard.payload);
      case FrameType::rst_stream: return "RST_STREAM " + id + " " + code_at(heard.payload, 0);
      case FrameType::goaway:
        return "GOAWAY " + code_at(heard.payload, 0) + " " + code_at(heard.payload, 4);
      case FrameType::window_update: return "WINDOW_UPDATE " + id + " " + code_at(heard.payload, 0);
      case FrameType::ping: return (heard.flags & 1) != 0 ? "PING ACK" : "PING";
      case FrameType::settings: return (heard.flags & 1) != 0 ? "SETTINGS ACK" : "SETTINGS";
      default: return "?";
    }
  }

 private:
  static std::string code_at(std::string_view payload, std::size_t at) {
    std::uint32_t value = 0;
    for (const char c : payload.substr(at, 4)) value = value << 8U | static_cast<std::uint8_t>(c);
    return std::to_string(value);
  }
  std::string fields_of(std::string_view block) {
    const auto fields = decode(block);
    if (!fields) return " (cannot be decoded)";
    std::string text;
    for (const auto& [name, value] : *fields) text.append(" ").append(name + "=" + value);
    return text;
  }

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::string rest_;
};

}  // namespace http::h2
