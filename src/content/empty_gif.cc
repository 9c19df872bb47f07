#include "content/empty_gif.h"

namespace content {
namespace {

using namespace std::string_view_literals;

// GIF89a: a screen of 1 by 1 with two colours, the first of which is transparent; one image, whose
// LZW codes are clear, 0, end.
constexpr std::string_view kGif =
    "GIF89a"
    "\x01\0\x01\0\x80\x01\0"      // screen descriptor
    "\0\0\0\xff\xff\xff"          // colours
    "\x21\xf9\x04\x01\0\0\x01\0"  // transparency
    "\x2c\0\0\0\0\x01\0\x01\0\0"  // image descriptor
    "\x02\x02\x4c\x01\0"          // image
    "\x3b"sv;
static_assert(kGif.size() == 43);

constexpr config::DirectiveSpec kDirectives[] = {
    {.name = "empty_gif",
     .contexts = config::Context::location,
     .arguments = config::takes(0),
     .syntax = "",
     .documentation = "Answers with a transparent GIF of one pixel.",
     .set = [](config::Binding& binding) { binding.options<EmptyGifOptions>().on = true; }},
};

}  // namespace

const config::Feature kEmptyGifFeature{"empty_gif", kDirectives, nullptr};

std::string_view empty_gif() noexcept { return kGif; }

}  // namespace content
