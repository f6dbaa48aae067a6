"""Calls of scipy.signal."""

from __future__ import annotations

import numpy as np
import scipy.signal

from support.cases import Cases

rng = np.random.default_rng(0)
X, ROWS = rng.normal(size=48), rng.normal(size=(3, 20))
Z = rng.normal(size=48) + 1j * rng.normal(size=48)
H, IMAGE, W = rng.normal(size=5), rng.normal(size=(5, 6)), rng.normal(size=(3, 2))
B, A = scipy.signal.butter(3, 0.3)
SOS = scipy.signal.butter(4, 0.3, output="sos")
ZPK = scipy.signal.tf2zpk(B, A)
ZEROS, POLES, GAIN = np.array([-1.0, -0.4]), np.array([0.5, -0.2, 0.1]), np.array(0.3)
SS = scipy.signal.tf2ss(B, A)
SECTIONS = np.delete(SOS, 3, axis=1)  # a0 = 1 is put back: anything else is an error
BRANCHING = ("vmap", "stage")  # leading zeros are looked for, and taken away


def whole(sections):
    one = np.ones((2, 1))
    return np.concatenate([sections[:, :3], one, sections[:, 3:]], 1)


POINTS = np.array([1.2, 3.4, 7.7])
FREQUENCIES = np.array([0.3, 0.9, 1.4])


cases = Cases(
    scipy.signal, "functorch_like.scipy.signal",
    exclude=("bsplines", "filter_design", "fir_filter_design", "lti_conversion", "ltisys",
             "signaltools", "spectral", "spline", "waveforms", "wavelets"),
)  # fmt: skip

# --- convolution -------------------------------------------------------------------------------

for mode in ("full", "same", "valid"):
    for method in ("direct", "fft", "auto"):
        cases("convolve", X[:12], H, mode=mode, method=method)
        cases("correlate", X[:12], H, mode=mode, method=method)
        cases("convolve", IMAGE, W, mode=mode, method=method)
        cases("correlate", IMAGE, W, mode=mode, method=method)
    cases("correlate", IMAGE, W + 1j * W[::-1], mode=mode, method="direct")
    for name in ("fftconvolve", "oaconvolve"):
        cases(name, X, H, mode=mode)
        cases(name, ROWS, H[None], mode=mode, axes=1)
    for boundary in ("fill", "wrap", "symm"):
        for kernel in (W, W[:2, :].T.copy()[:, :1], rng.normal(size=(2, 3))):
            cases("convolve2d", IMAGE, kernel, mode=mode, boundary=boundary, fillvalue=0.3)
            cases("correlate2d", IMAGE, kernel, mode=mode, boundary=boundary, fillvalue=0.3)
cases("correlate", H, X[:9], mode="full", method="direct")
cases("deconvolve", X[:9], H)
cases("upfirdn", H, X, up=3, down=2)
cases("upfirdn", H, ROWS, up=2, axis=0, mode="symmetric")
cases("upfirdn", H, X, down=3, mode="constant", cval=0.4)
cases("sepfir2d", rng.normal(size=(8, 9)), H[:3], H)
cases.other("a choice by sizes", "choose_conv_method", "correlation_lags")

# --- filters -----------------------------------------------------------------------------------

cases("lfilter", B, A, X)
cases("lfilter", B, A, ROWS, axis=0)
cases("lfilter", B, 2 * A, Z)
cases("lfilter", B, A, ROWS, rng.normal(size=(3, 3)), call=lambda f, b, a, x, z: f(b, a, x, zi=z))
cases("lfilter", B, 2 * A, X[:2], H[:3], call=lambda f, b, a, x, z: f(b, a, x, zi=z))
cases("lfilter", B, 2 * A[:1], X, H[:3], call=lambda f, b, a, x, z: f(b, a, x, zi=z))
cases("lfilter", B[:1], A, X)
cases("filtfilt", B, A, X)
cases("filtfilt", B, A, ROWS, padtype="even", padlen=5)
cases("filtfilt", B, A, X, method="gust", tolerance=1e-4)
cases("sosfilt", SECTIONS, X, call=lambda f, s, x: f(whole(s), x))
cases("sosfilt", SECTIONS, ROWS, call=lambda f, s, x: f(whole(s), x, axis=0))
cases("sosfilt", SECTIONS, ROWS, rng.normal(size=(2, 3, 2)),
      call=lambda f, s, x, z: f(whole(s), x, zi=z))  # fmt: skip
cases("sosfiltfilt", SECTIONS, X, without=BRANCHING, call=lambda f, s, x: f(whole(s), x))
cases("lfilter_zi", B, A)
cases("sosfilt_zi", SECTIONS, call=lambda f, s: f(whole(s)))
cases("lfiltic", B, A, X[:3])
cases("lfiltic", B, A, X[:3], X[3:6])
cases("savgol_filter", X, window_length=7, polyorder=3)
cases("savgol_filter", ROWS, window_length=5, polyorder=2, deriv=1, mode="mirror", axis=1)
cases("medfilt", X, kernel_size=5)
cases("medfilt", IMAGE, kernel_size=3)
cases("medfilt2d", IMAGE, kernel_size=3)
cases("order_filter", IMAGE, call=lambda f, x: f(x, np.ones((3, 3)), 2))
cases("wiener", IMAGE, mysize=3)
cases("wiener", X, mysize=5, noise=0.3)
for name in ("cspline1d", "qspline1d"):
    cases(name, X)
for name in ("cspline1d_eval", "qspline1d_eval"):
    cases(name, X, POINTS)
    cases(name, X, np.array([-3.3, 0.4, 60.2]), dx=0.9, x0=0.1)
cases("gauss_spline", POINTS, n=3)
cases.refuse("its initial sums are cut off where a compiled loop decides; write it with lfilter, "
             "or use ndimage.spline_filter",
             "symiirorder1", "symiirorder2", "cspline2d", "qspline2d", "spline_filter")  # fmt: skip

# --- transforms and spectra --------------------------------------------------------------------

cases("hilbert", X)
cases("hilbert", ROWS, N=24, axis=1)
cases("hilbert2", IMAGE)
cases("envelope", X, bp_in=(2, 20))
cases("detrend", ROWS)
cases("detrend", ROWS, type="constant", axis=0)
cases("detrend", ROWS, bp=[8])
cases("resample", X, num=36)
cases("resample", ROWS, num=31, axis=1)
cases("resample_poly", X, up=3, down=2)
cases("resample_poly", ROWS, up=2, down=3, axis=1, padtype="mean")
cases("decimate", X, q=4)
cases("decimate", ROWS, q=2, ftype="fir")
cases("periodogram", X)
cases("periodogram", Z, detrend="linear", scaling="spectrum")
for name in ("welch", "spectrogram", "stft"):
    cases(name, X, nperseg=16)
    cases(name, Z, nperseg=12, noverlap=3)
cases("welch", X, nperseg=16, average="median")
cases("spectrogram", X, nperseg=16, mode="magnitude")
for name in ("csd", "coherence"):
    cases(name, X, X[::-1] ** 2, nperseg=16)
cases("istft", scipy.signal.stft(X, nperseg=16)[2], nperseg=16)
cases("czt", X[:12], m=7)
cases("zoom_fft", X[:12], fn=0.3, m=6)
cases("lombscargle", np.sort(rng.uniform(0, 9, 20)), X[:20], np.array([1.0, 2.0]))
cases("vectorstrength", X, period=2.3)
cases("minimum_phase", np.convolve(np.arange(1.0, 5.0), np.arange(4.0, 0.0, -1.0)), tolerance=1e-4,
      without=BRANCHING)  # fmt: skip
cases("closest_STFT_dual_window", np.hanning(16) + 0.1, hop=4, without=BRANCHING)
cases.refuse("objects of compiled state; use zoom_fft, czt, stft and istft",
             "CZT", "ZoomFFT", "ShortTimeFFT")  # fmt: skip

# --- responses and forms of filters ------------------------------------------------------------

cases("freqz", B, A, worN=8)
cases("freqz", B, A, FREQUENCIES, call=lambda f, b, a, w: f(b, a, w))
cases("freqz_sos", SECTIONS, call=lambda f, s: f(whole(s), worN=8))
cases("sosfreqz", SECTIONS, call=lambda f, s: f(whole(s), worN=8))
cases("freqz_zpk", ZEROS, POLES, GAIN, worN=8)
cases("freqs", B, A, FREQUENCIES)
cases("freqs_zpk", ZEROS, POLES, GAIN, FREQUENCIES)
cases("group_delay", B, A, call=lambda f, b, a: f((b, a), w=8))
cases("bilinear", B, A, fs=2.0)
cases("bilinear_zpk", ZEROS, POLES, GAIN, fs=2.0)
cases("zpk2tf", ZEROS, POLES, GAIN)
cases("sos2tf", SOS, without=BRANCHING)
cases("ss2tf", *SS)
cases("zpk2ss", ZEROS, POLES, GAIN, without=BRANCHING)
cases("tf2ss", B, A, without=BRANCHING)
cases("normalize", B, 2 * A, without=BRANCHING)
for name in ("lp2lp", "lp2hp"):
    cases(name, B, A, wo=1.5, without=BRANCHING)
    cases(f"{name}_zpk", ZEROS, POLES, GAIN, wo=1.5)
for name in ("lp2bp", "lp2bs"):
    cases(name, B, A, wo=1.5, bw=0.7, without=BRANCHING)
    cases(f"{name}_zpk", ZEROS - 3, POLES - 3, GAIN, wo=1.5, bw=0.7)
TF = np.array([1.0, 5.2, 6.6, 0.9])
cases("tf2zpk", np.array([1.0, 3.0, 1.0]), TF, without=BRANCHING)
cases("cont2discrete", *SS, call=lambda f, *ss: f(ss, 0.1)[:4])
cases("cont2discrete", *SS, call=lambda f, *ss: f(ss, 0.1, method="bilinear")[:4])
cases("abcd_normalize", *SS)
cases.refuse("it pairs and sorts roots by value; work with the roots, or with zpk2tf",
             "zpk2sos", "tf2sos", "sos2zpk", "ss2zpk", "place_poles")  # fmt: skip
cases.refuse("roots are grouped by a search without a derivative; use the roots (np.roots)",
             "unique_roots", "residue", "residuez", "invres", "invresz")  # fmt: skip

# --- waveforms ---------------------------------------------------------------------------------

cases("chirp", X, np.array(1.0), np.array(2.0), np.array(3.0))
cases("chirp", X, method="quadratic", f0=1.0, t1=2.0, f1=3.0, phi=30)
cases("chirp", X, method="logarithmic", f0=1.0, t1=2.0, f1=3.0)
cases("chirp", X, method="hyperbolic", f0=1.0, t1=2.0, f1=3.0)
cases("gausspulse", X / 9, fc=5.0)
cases("gausspulse", X / 9, fc=5.0, retquad=True, retenv=True)
cases("sawtooth", X, width=0.7)
cases("square", X, duty=0.3)
cases("sweep_poly", X, np.array([0.1, 0.2, 0.3]))

# --- the rest ----------------------------------------------------------------------------------

cases.refuse("positions of peaks are integers; find them on plain values and index the array",
             "argrelextrema", "argrelmax", "argrelmin", "find_peaks", "find_peaks_cwt",
             "peak_prominences", "peak_widths")  # fmt: skip
cases.refuse(
    "systems are objects of plain arrays; write the response with lfilter, freqz or expm",
    "StateSpace", "TransferFunction", "ZerosPolesGain", "bode", "dbode", "dfreqresp", "dimpulse",
    "dlsim", "dlti", "dstep", "freqresp", "impulse", "lsim", "lti", "step", "findfreqs",
)  # fmt: skip
cases.refuse(
    "a design: its coefficients are found by searches over plain specifications",
    "band_stop_obj", "bessel", "besselap", "buttap", "butter", "buttord", "cheb1ap", "cheb1ord",
    "cheb2ap", "cheb2ord", "cheby1", "cheby2", "ellip", "ellipap", "ellipord", "firls", "firwin",
    "firwin2", "firwin_2d", "gammatone", "get_window", "iircomb", "iirdesign", "iirfilter",
    "iirnotch", "iirpeak", "kaiser_atten", "kaiser_beta", "kaiserord", "remez", "savgol_coeffs",
)  # fmt: skip
cases.other("a maker of constants", "czt_points", "max_len_seq", "unit_impulse")
cases.other("a check of constants", "check_COLA", "check_NOLA")
cases.other("a warning", "BadCoefficients")
cases.other("a module of windows, which are constants", "windows")
