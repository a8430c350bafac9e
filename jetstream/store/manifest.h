struct mg_manifest{int x;};
