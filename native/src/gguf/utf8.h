#pragma once
#include <string>
#include <string_view>

namespace e4j {

// Well-formed UTF-8 without control characters: fit to be a name and to be printed.
bool is_printable_utf8(std::string_view text) noexcept;

// For messages: at most 96 bytes of well-formed UTF-8, cut between characters and marked "..." when longer.
std::string shortened(std::string_view text);

}  // namespace e4j
