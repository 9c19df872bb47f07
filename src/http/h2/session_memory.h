// Memory for nghttp2's sessions. Small objects, some of them made for each stream, come from the
// thread's free lists of coroutine frames. The block of 16 KB in which a session puts its frames
// together comes from a region of its own, since of most only the first page is ever touched: from
// the heap it would be a block that others have used before, with all of its pages.
//
// The functions have the signatures that nghttp2_mem wants; the last argument is not used. A block
// is freed on the thread that it was made on.
#pragma once

#include <cstddef>

namespace http::h2 {

[[nodiscard]] void* allocate_for_session(std::size_t size, void* unused);
[[nodiscard]] void* allocate_zeroed_for_session(std::size_t count, std::size_t size, void* unused);
[[nodiscard]] void* reallocate_for_session(void* block, std::size_t size, void* unused);
void free_of_session(void* block, void* unused);

}  // namespace http::h2
