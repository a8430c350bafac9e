# SPDX-License-Identifier: Apache-2.0
# Copyright (c) The Midge Authors
"""Short-lived certificates for tests, made by the openssl command in a folder of the caller.

ca.pem signs server.pem (localhost, 127.0.0.1, ::1) and client.pem (mail derek@example.com, CN derek);
other-ca.pem signs stranger.pem, which nobody should trust.
"""

import os
import subprocess

EXTENSIONS = {
    "server": "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth,clientAuth\n",
    "client": "subjectAltName=email:derek@example.com\nextendedKeyUsage=clientAuth\n",
    "noeku": "subjectAltName=email:derek@example.com\nextendedKeyUsage=serverAuth\n",
    "stranger": "subjectAltName=email:derek@example.com\nextendedKeyUsage=clientAuth\n",
}


def _openssl(folder, *args):
    subprocess.run(["openssl", *args], cwd=folder, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _authority(folder, name):
    with open(os.path.join(folder, name + ".cnf"), "w", encoding="ascii") as f:
        f.write("[req]\ndistinguished_name=dn\nx509_extensions=v3\n[dn]\n"
                "[v3]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n"
                "subjectKeyIdentifier=hash\n")
    _openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
             "-config", name + ".cnf", "-subj", f"/O=Midge tests/CN={name}", "-keyout", name + ".key",
             "-out", name + ".pem")


def _leaf(folder, name, authority, common_name):
    with open(os.path.join(folder, name + ".ext"), "w", encoding="ascii") as f:
        f.write("basicConstraints=CA:false\nkeyUsage=digitalSignature\n" + EXTENSIONS[name])
    _openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-config", authority + ".cnf", "-subj", f"/O=Midge tests/CN={common_name}", "-keyout", name + ".key",
             "-out", name + ".csr")
    _openssl(folder, "x509", "-req", "-in", name + ".csr", "-CA", authority + ".pem", "-CAkey", authority + ".key",
             "-set_serial", str(len(name)), "-days", "30", "-extfile", name + ".ext", "-out", name + ".pem")


def make(folder):
    """Makes all of them in folder (about 0.2 s)."""
    os.makedirs(folder, exist_ok=True)
    _authority(folder, "ca")
    _authority(folder, "other-ca")
    _leaf(folder, "server", "ca", "localhost")
    _leaf(folder, "client", "ca", "derek")
    _leaf(folder, "noeku", "ca", "derek")
    _leaf(folder, "stranger", "other-ca", "derek")
    return folder
