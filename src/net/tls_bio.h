// make_bio(): a BIO by which OpenSSL reads and writes without a socket.
#pragma once

#include <openssl/bio.h>

#include "base/assert.h"

namespace ringmaster::net {

// `Calls` has the read(), write() and control() of a BIO_METHOD. In them BIO_get_data() is `data`.
template <class Calls>
BIO* make_bio(void* data) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ringmaster");
    RM_ASSERT(made != nullptr);
    ::BIO_meth_set_read(made, Calls::read);
    ::BIO_meth_set_write(made, Calls::write);
    ::BIO_meth_set_ctrl(made, Calls::control);
    return made;
  }();
  BIO* const bio = ::BIO_new(method);
  RM_ASSERT(bio != nullptr);
  ::BIO_set_data(bio, data);
  ::BIO_set_init(bio, 1);
  return bio;
}

}  // namespace ringmaster::net
