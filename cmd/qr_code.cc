#include "qr_code.h"

#include <qrencode.h>

#include <memory>

#include "base/error.h"

namespace bkp {
namespace {

constexpr int kQuietZone = 4;  // modules, as the standard wants it

struct FreeCode {
  void operator()(QRcode* code) const { QRcode_free(code); }
};

}  // namespace

std::string qr_code(std::string_view text, bool terminal) {
  const std::unique_ptr<QRcode, FreeCode> code(
      QRcode_encodeData(static_cast<int>(text.size()),
                        reinterpret_cast<const unsigned char*>(text.data()), 0, QR_ECLEVEL_M));
  if (!code) throw Error(ErrorCode::failed, "cannot make a QR code: the text is too long for one");
  const auto dark = [&code](int row, int column) {
    return row >= 0 && row < code->width && column >= 0 && column < code->width &&
           (code->data[row * code->width + column] & 1) != 0;
  };
  std::string out;
  for (int row = -kQuietZone; row < code->width + kQuietZone; row += 2) {
    if (terminal) out += "\033[30;107m";
    for (int column = -kQuietZone; column < code->width + kQuietZone; ++column) {
      const bool upper = dark(row, column);
      const bool lower = dark(row + 1, column);
      out += upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
    }
    out += terminal ? "\033[0m\n" : "\n";
  }
  return out;
}

}  // namespace bkp
