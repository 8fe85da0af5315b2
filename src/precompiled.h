// The headers that most files include, compiled once. Each file still includes those it needs.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <functional>
#include <memory>
#include <optional>
#include <rapidjson/document.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <uv.h>
#include <variant>
#include <vector>

#include <tl/expected.hpp>
