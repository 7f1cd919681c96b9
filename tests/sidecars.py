"""Sidecars as darktable, digiKam, Adobe's programs and exiftool write them, without a rating."""

from __future__ import annotations

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XMP = "http://ns.adobe.com/xap/1.0/"
MICROSOFT = "http://ns.microsoft.com/photo/1.0/"
DIGIKAM_SPACE = "http://www.digikam.org/ns/1.0/"

DARKTABLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:exif="http://ns.adobe.com/exif/1.0/"
    xmlns:darktable="http://darktable.sf.net/"
   exif:DateTimeOriginal="2024:01:01 10:00:00.000"
   darktable:xmp_version="5"
   darktable:history_end="2">
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num="0"
      darktable:operation="exposure"
      darktable:params="gz02eJxjYGBgYAFiCQYYOOHEgAYY0QXwggZ7&gt;"/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""

DIGIKAM = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="{RDF}">
  <rdf:Description rdf:about=""
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
   digiKam:ColorLabel="3">
   <digiKam:TagsList>
    <rdf:Seq>
     <rdf:li>Orte/Köln &amp; Umgebung</rdf:li>
    </rdf:Seq>
   </digiKam:TagsList>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""

EXIFTOOL = f"""<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?>
<x:xmpmeta xmlns:x='adobe:ns:meta/' x:xmptk='Image::ExifTool 12.57'>
<rdf:RDF xmlns:rdf='{RDF}'>

 <rdf:Description rdf:about='uuid:1'
  xmlns:dc='http://purl.org/dc/elements/1.1/'>
  <dc:format>image/jpeg</dc:format>
 </rdf:Description>

 <rdf:Description rdf:about='uuid:1'
  xmlns:xmp='{XMP}'>
  <xmp:Label>a > b</xmp:Label>
 </rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end='w'?>"""

OTHER_PREFIXES = f"""<meta:xmpmeta xmlns:meta="adobe:ns:meta/" xmlns:xmp="urn:something:else"
 ><r:RDF xmlns:r="{RDF}" xmlns:xap="{XMP}"><!-- <r:RDF> --><r:Description r:about=""
 xap:Label="Rot" xmp:Rating="no rating"/></r:RDF></meta:xmpmeta>"""

EMPTY = f"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}" /></x:xmpmeta>"""

BY_PROGRAM = {
    "darktable": DARKTABLE,
    "digikam": DIGIKAM,
    "exiftool": EXIFTOOL,
    "other prefixes": OTHER_PREFIXES,
    "empty": EMPTY,
    "default namespace": EMPTY.replace("rdf:RDF xmlns:rdf", "RDF xmlns"),
}


def rated(rating: str) -> str:
    """An exiftool sidecar with a rating as an element, or as an attribute where it says so."""
    return EXIFTOOL.replace("  <xmp:Label>", f"  {rating}\n  <xmp:Label>")


def packet(inside: str) -> bytes:
    """XMP with these attributes, of xmp:, m: (Microsoft) or d: (digiKam)."""
    spaces = f'xmlns:xmp="{XMP}" xmlns:m="{MICROSOFT}" xmlns:d="{DIGIKAM_SPACE}"'
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">'
        f'<rdf:Description rdf:about="" {spaces} {inside}/></rdf:RDF></x:xmpmeta>'
    ).encode()
