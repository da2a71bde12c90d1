#include "pg/encoding.h"

#include <iconv.h>

#include <algorithm>
#include <utility>

namespace bkp {
namespace {

// PostgreSQL's name and iconv's. Others are the same in both or unknown to iconv.
constexpr std::pair<std::string_view, const char*> kNames[] = {{"LATIN1", "ISO-8859-1"},
                                                               {"LATIN2", "ISO-8859-2"},
                                                               {"LATIN3", "ISO-8859-3"},
                                                               {"LATIN4", "ISO-8859-4"},
                                                               {"LATIN5", "ISO-8859-9"},
                                                               {"LATIN6", "ISO-8859-10"},
                                                               {"LATIN7", "ISO-8859-13"},
                                                               {"LATIN8", "ISO-8859-14"},
                                                               {"LATIN9", "ISO-8859-15"},
                                                               {"LATIN10", "ISO-8859-16"},
                                                               {"ISO_8859_5", "ISO-8859-5"},
                                                               {"ISO_8859_6", "ISO-8859-6"},
                                                               {"ISO_8859_7", "ISO-8859-7"},
                                                               {"ISO_8859_8", "ISO-8859-8"},
                                                               {"WIN866", "CP866"},
                                                               {"WIN874", "CP874"},
                                                               {"WIN1250", "CP1250"},
                                                               {"WIN1251", "CP1251"},
                                                               {"WIN1252", "CP1252"},
                                                               {"WIN1253", "CP1253"},
                                                               {"WIN1254", "CP1254"},
                                                               {"WIN1255", "CP1255"},
                                                               {"WIN1256", "CP1256"},
                                                               {"WIN1257", "CP1257"},
                                                               {"WIN1258", "CP1258"},
                                                               {"KOI8R", "KOI8-R"},
                                                               {"KOI8U", "KOI8-U"},
                                                               {"EUC_JP", "EUC-JP"},
                                                               {"EUC_JIS_2004", "EUC-JISX0213"},
                                                               {"EUC_CN", "EUC-CN"},
                                                               {"EUC_KR", "EUC-KR"},
                                                               {"EUC_TW", "EUC-TW"}};

}  // namespace

std::string to_utf8(std::string_view text, std::string_view encoding) {
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  const auto* known = std::find_if(std::begin(kNames), std::end(kNames),
                                   [&](const auto& entry) { return entry.first == encoding; });
  if (ascii || known == std::end(kNames)) return std::string(text);
  const iconv_t converter = ::iconv_open("UTF-8", known->second);
  if (converter == reinterpret_cast<iconv_t>(-1)) return std::string(text);
  std::string in(text), out(text.size() * 4, '\0');
  char *from = in.data(), *to = out.data();
  std::size_t from_left = in.size(), to_left = out.size();
  const bool converted =
      ::iconv(converter, &from, &from_left, &to, &to_left) != static_cast<std::size_t>(-1);
  ::iconv_close(converter);
  if (!converted) return std::string(text);
  out.resize(out.size() - to_left);
  return out;
}

}  // namespace bkp
