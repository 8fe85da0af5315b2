"""Trained trees that score each class, with XGBoost on one thread, so that the process may fork.

CModel uses XGBoost's C API, as model.cc does. PackageModel uses XGBoost's package for Python. Both
take rows of numbers, and return the scores of each row. The numbers become float32, and the scores
are float32.
"""

import json
from array import array
from ctypes import CDLL, POINTER, byref, c_char_p, c_float, c_uint64, c_void_p
from itertools import chain
from pathlib import Path

_HOW = json.dumps({"type": 0, "training": False, "iteration_begin": 0, "iteration_end": 0,
                   "strict_shape": True, "missing": float("nan"), "cache_id": 0}).encode()


class CModel:
    """The trees live as long as the process."""

    def __init__(self, path: str, feature_count: int, class_count: int):
        # The library's handle also finds libgomp's symbols if XGBoost was built with libgomp.
        self._library = CDLL("libxgboost.so.0")
        self._library.XGBGetLastError.restype = c_char_p
        self._feature_count, self._class_count = feature_count, class_count
        self._booster, self._matrix, found = c_void_p(), c_void_p(), c_uint64()
        if hasattr(self._library, "omp_set_num_threads"):
            self._library.omp_set_num_threads(1)  # loading ignores nthread
        self._call("XGBSetGlobalConfig", b'{"verbosity":0}')
        self._call("XGBoosterCreate", None, c_uint64(0), byref(self._booster))
        content = Path(path).read_bytes()
        size = c_uint64(len(content))
        try:
            self._call("XGBoosterLoadModelFromBuffer", self._booster, content, size)
        except RuntimeError as fault:
            raise ValueError(f"model {path}: {fault}") from None
        self._call("XGBoosterSetParam", self._booster, b"nthread", b"1")
        # Made once: otherwise each prediction would make a matrix.
        self._call("XGProxyDMatrixCreate", byref(self._matrix))
        self._call("XGBoosterGetNumFeature", self._booster, byref(found))
        if found.value != feature_count:
            raise ValueError(f"model {path}: expected {feature_count} features, "
                             f"found {found.value}")

    def predict(self, rows: list[list[int]]) -> list[list[float]]:
        values = array("f", chain.from_iterable(rows))
        interface = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"<f4","version":3}' % (
            values.buffer_info()[0], len(rows), self._feature_count)
        shape, dimensions, scores = POINTER(c_uint64)(), c_uint64(), POINTER(c_float)()
        self._call("XGBoosterPredictFromDense", self._booster, interface, _HOW, self._matrix,
                   byref(shape), byref(dimensions), byref(scores))
        found = shape[: dimensions.value]
        if found != [len(rows), self._class_count]:
            raise ValueError(f"expected a model that gives {self._class_count} scores for a row, "
                             f"found the shape {found} for {len(rows)} rows")
        step = self._class_count
        flat = scores[: len(rows) * step]
        return [flat[at : at + step] for at in range(0, len(flat), step)]

    def _call(self, name: str, *arguments):
        if getattr(self._library, name)(*arguments) != 0:
            first_line = self._library.XGBGetLastError().split(b"\n")[0]  # a stack trace follows
            raise RuntimeError(f"{name}: {first_line.decode(errors='replace')}")


class PackageModel:
    def __init__(self, path: str, feature_count: int, class_count: int):
        import numpy
        import xgboost

        self._float32_rows = lambda rows: numpy.array(rows, numpy.float32)
        self._booster = xgboost.Booster({"nthread": 1})
        self._booster.load_model(path)
        self._booster.set_param({"nthread": 1})
        found = self._booster.num_features()
        if found != feature_count:
            raise ValueError(f"model {path}: expected {feature_count} features, found {found}")
        (scores,) = self.predict([[0] * feature_count])
        if len(scores) != class_count:
            raise ValueError(f"model {path}: expected {class_count} scores, found {len(scores)}")

    def predict(self, rows: list[list[int]]) -> list[list[float]]:
        return self._booster.inplace_predict(self._float32_rows(rows),
                                             validate_features=False).tolist()
