// Strict readers of HTTP/1.1 and HTTP/2, for fuzzers: what the proxy says to either side must be
// what the RFCs let it say, to the letter. They know nothing of the proxy's own parsers, and CHECK.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "http/h2/frames_test.h"

namespace strict {

using http::h2::Pairs;

enum class Of : bool { requests, responses };

inline bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}
inline bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}
inline bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 19 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

/// A message as far as it has come. Names are in lower case.
struct Message {
  std::string method, target;  // of a request
  unsigned status = 0;  // of a response
  Pairs fields;
  Pairs trailers;
  std::optional<std::uint64_t> length;
  std::string body;
  bool has_head = false;
  bool is_whole = false;

  [[nodiscard]] std::size_t count(std::string_view name) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(fields, [&](const auto& each) { return each.first == name; }));
  }
  [[nodiscard]] std::string value(std::string_view name) const {
    for (const auto& [found, text] : fields) {
      if (found == name) return text;
    }
    return {};
  }
  [[nodiscard]] bool is_interim() const { return status >= 100 && status < 200; }
  [[nodiscard]] bool has_no_body() const { return is_interim() || status == 204 || status == 304; }
};

inline void check_field(std::string_view name, std::string_view value) {
  CHECK(is_token(name) && !has_control(value));
  CHECK(value.empty() || (value.front() != ' ' && value.front() != '\t' && value.back() != ' ' &&
                          value.back() != '\t'));
  for (const std::string_view hop : {"keep-alive", "proxy-connection", "http2-settings"}) {
    CHECK(name != hop);
  }
}
inline void check_trailers(const Pairs& trailers) {
  for (const auto& [name, value] : trailers) {
    check_field(name, value);
    for (const std::string_view framing :
         {"content-length", "transfer-encoding", "host", "connection", "te", "trailer", "upgrade",
          "x-real-ip", "x-forwarded-for", "forwarded"}) {
      CHECK(name != framing);
    }
  }
}
inline void read_length(Message& message) {
  CHECK(message.count("content-length") <= 1);
  if (message.count("content-length") == 0) return;
  const std::string digits = message.value("content-length");
  CHECK(is_number(digits));
  message.length = std::stoull(digits);
}

/// HTTP/1.1, from the first byte of a connection.
class Http1 {
 public:
  explicit Http1(Of what) noexcept : what_(what) {}
  /// All bytes so far. The last message may not be whole. `head_first`: the first response answers
  /// a HEAD; then nothing is said of what follows it.
  std::vector<Message> read(std::string_view text, bool head_first = false) {
    rest_ = text;
    std::vector<Message> all;
    while (!rest_.empty()) {
      Message& message = all.emplace_back();
      if (!read_head(message)) break;
      if (head_first && !message.is_interim()) {
        message.is_whole = true;
        break;
      }
      if (!read_body(message)) break;
      message.is_whole = true;
    }
    return all;
  }

 private:
  std::optional<std::string_view> line() {
    const auto end = rest_.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 2);
    CHECK(!has_control(text));
    return text;
  }
  static void read_first(std::string_view text, Message& message, Of what) {
    const auto first = text.find(' ');
    CHECK(first != std::string_view::npos);
    if (what == Of::responses) {
      CHECK(text.substr(0, first) == "HTTP/1.1");
      const std::string_view status = text.substr(first + 1, 3);
      CHECK(status.size() == 3 && is_number(status) && text.substr(first + 4).starts_with(' '));
      message.status = static_cast<unsigned>(std::stoul(std::string(status)));
      CHECK(message.status >= 100 && message.status <= 599);
      return;
    }
    const auto last = text.rfind(' ');
    CHECK(last > first && is_token(text.substr(0, first)));
    CHECK(text.substr(last + 1) == "HTTP/1.1");
    message.method = text.substr(0, first);
    message.target = text.substr(first + 1, last - first - 1);
    CHECK(!message.target.empty() && message.target.find(' ') == std::string::npos);
  }
  bool read_fields(Pairs& into) {
    while (true) {
      const auto text = line();
      if (!text) return false;
      if (text->empty()) return true;
      const auto colon = text->find(':');
      CHECK(colon != std::string_view::npos);
      std::string_view value = text->substr(colon + 1);
      if (value.starts_with(' ')) value.remove_prefix(1);
      into.emplace_back(lower(text->substr(0, colon)), std::string(value));
      check_field(into.back().first, into.back().second);
    }
  }
  bool read_head(Message& message) {
    const auto first = line();
    if (!first) return false;
    read_first(*first, message, what_);
    if (!read_fields(message.fields)) return false;
    message.has_head = true;
    read_length(message);
    const std::size_t codings = message.count("transfer-encoding");
    CHECK(codings <= 1 && !(codings == 1 && message.length));
    CHECK(codings == 0 || message.value("transfer-encoding") == "chunked");
    if (what_ == Of::requests) CHECK(message.count("host") == 1);
    if (message.is_interim() || message.status == 204) CHECK(codings == 0 && !message.length);
    const std::string connection = message.value("connection");
    CHECK(message.count("connection") <= 1 && message.count("te") <= 1);
    CHECK(connection.empty() || connection == "close" || connection == "keep-alive");
    return true;
  }
  bool read_body(Message& message) {
    if (message.has_no_body()) return true;
    if (message.count("transfer-encoding") == 1) return read_chunks(message);
    if (!message.length) return what_ == Of::requests;  // a response would end with the connection
    message.body = rest_.substr(0, *message.length);
    rest_.remove_prefix(message.body.size());
    return message.body.size() == *message.length;
  }
  bool read_chunks(Message& message) {
    while (true) {
      const auto text = line();
      if (!text) return false;
      CHECK(!text->empty() && text->size() <= 8 &&
            text->find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos);
      const std::size_t size = std::stoull(std::string(*text), nullptr, 16);
      if (size == 0) break;
      if (rest_.size() < size + 2) return false;
      message.body.append(rest_.substr(0, size));
      CHECK(rest_.substr(size, 2) == "\r\n");
      rest_.remove_prefix(size + 2);
    }
    if (!read_fields(message.trailers)) return false;
    check_trailers(message.trailers);
    return true;
  }

  Of what_;
  std::string_view rest_;
};

/// HTTP/2, frame by frame.
class Http2 {
 public:
  /// `requests`: of a client, whose first bytes are the preface.
  explicit Http2(Of what) noexcept : what_(what), preface_left_(what == Of::requests) {}
  void read(std::string_view text) {
    begun_.append(text);
    if (preface_left_) {
      CHECK(http::h2::match_preface(begun_) != http::h2::PrefaceMatch::no);
      if (begun_.size() < http::h2::kPreface.size()) return;
      begun_.erase(0, http::h2::kPreface.size());
      preface_left_ = false;
    }
    for (const auto& frame : listener_.frames(std::exchange(begun_, {}))) take(frame);
  }
  std::map<std::int32_t, Message> messages;  // by stream; responses: the final one
  std::map<std::int32_t, std::string> methods;  // of requests: answers to HEAD have no body
  bool owes_settings_ack = false;

 private:
  void take(const http::h2::HeardFrame& frame) {
    using http::h2::FrameType;
    const bool end = (frame.flags & http::h2::kFlagEndStream) != 0;
    CHECK(block_of_ == 0 || frame.type == FrameType::continuation);
    switch (frame.type) {
      case FrameType::headers:
      case FrameType::continuation:
        if (frame.type == FrameType::headers) {
          CHECK(frame.id > 0 && frame.id % 2 == 1 && (frame.flags & 0x28) == 0);
          block_.clear();
          block_of_ = frame.id;
          block_ends_ = end;
        }
        CHECK(block_of_ == frame.id);
        block_ += frame.payload;
        if ((frame.flags & http::h2::kFlagEndHeaders) == 0) return;
        block_of_ = 0;
        return take_block(frame.id, block_ends_);
      case FrameType::data: {
        Message& message = messages[frame.id];
        CHECK(message.has_head && !message.is_whole && !message.is_interim());
        message.body += frame.payload;
        if (end) finish(frame.id);
        return;
      }
      case FrameType::settings: owes_settings_ack |= (frame.flags & 1) == 0; return;
      case FrameType::push_promise: CHECK(false); return;
      default: return;
    }
  }
  void take_block(std::int32_t id, bool end) {
    const auto fields = listener_.decode(block_);
    CHECK(fields.has_value());
    Message& message = messages[id];
    CHECK(!message.is_whole);
    if (message.has_head && !message.is_interim()) {
      CHECK(end);
      message.trailers = *fields;
      check_trailers(message.trailers);
      return finish(id);
    }
    message = {};
    message.has_head = true;
    std::string pseudo;
    for (const auto& [name, value] : *fields) {
      if (name.starts_with(':')) {
        take_pseudo(message, pseudo, name, value);
        continue;
      }
      CHECK(name == lower(name));
      check_field(name, value);
      for (const std::string_view hop : {"connection", "transfer-encoding", "upgrade"}) {
        CHECK(name != hop);
      }
      CHECK(name != "host" || what_ == Of::responses);  // of :authority
      if (name == "te") CHECK(value == "trailers" && what_ == Of::requests);
      message.fields.emplace_back(name, value);
    }
    const bool is_request = what_ == Of::requests;
    CHECK(is_request ? pseudo.find(":method") != std::string::npos : pseudo == ":status");
    if (is_request) CHECK(!message.method.empty() && !message.target.empty());
    read_length(message);
    if (message.is_interim()) CHECK(!end && !message.length);
    if (end) finish(id);
  }
  void take_pseudo(Message& message, std::string& seen, const std::string& name,
                   const std::string& value) const {
    CHECK(message.fields.empty() && seen.find(name) == std::string::npos);
    CHECK(!has_control(value) && value.find_first_of(" \t") == std::string::npos);
    seen += name;
    if (what_ == Of::responses) {
      CHECK(name == ":status" && value.size() == 3 && is_number(value));
      message.status = static_cast<unsigned>(std::stoul(value));
      CHECK(message.status >= 100 && message.status <= 599 && message.status != 101);
      return;
    }
    if (name == ":method") {
      CHECK(is_token(value));
      message.method = value;
    } else if (name == ":path") {
      message.target = value;
    } else {
      CHECK(name == ":scheme" || name == ":authority");
      CHECK(!value.empty());
    }
  }
  void finish(std::int32_t id) {
    Message& message = messages[id];
    message.is_whole = true;
    const bool has_no_body = message.has_no_body() || methods[id] == "HEAD";
    if (has_no_body) CHECK(message.body.empty());
    if (message.length && !has_no_body) CHECK(message.body.size() == *message.length);
  }

  Of what_;
  bool preface_left_;
  std::string begun_;
  http::h2::Listener listener_;
  std::string block_;
  std::int32_t block_of_ = 0;
  bool block_ends_ = false;
};

}  // namespace strict
